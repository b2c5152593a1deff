"""Tells people what they have to know, by the notifiers of the settings."""
