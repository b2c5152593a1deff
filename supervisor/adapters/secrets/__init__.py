"""Secrets: where the settings say that they are, and what encrypted files hold."""
