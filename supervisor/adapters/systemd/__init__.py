"""The user's systemd manager, over D-Bus."""
