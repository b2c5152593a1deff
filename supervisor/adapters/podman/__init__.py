"""Podman's objects, over its REST API: open, ask, close."""

from supervisor.adapters.podman.client import PodmanClient

__all__ = ["PodmanClient"]
