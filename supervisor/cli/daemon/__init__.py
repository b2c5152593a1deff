"""Reaching the daemon: where it is, asking it, and what can be known without it."""
