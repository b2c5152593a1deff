"""Podman's Quadlet generator, the judge of candidates."""

from supervisor.adapters.quadlet.generator import QuadletGenerator

__all__ = ["QuadletGenerator"]
