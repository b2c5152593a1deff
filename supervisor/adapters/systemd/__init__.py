"""The user's systemd manager, over D-Bus."""

from supervisor.adapters.systemd.manager import SystemdManager

__all__ = ["SystemdManager"]
