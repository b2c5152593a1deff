"""Sending messages, by Apprise."""
