"""podvisor: keeps rootless Podman containers in the state that a Git repository describes."""

__version__ = "0.1.0"
