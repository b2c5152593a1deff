"""Podman's Quadlet generator, the judge of candidates."""
