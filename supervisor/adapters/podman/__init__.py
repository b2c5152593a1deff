"""Podman's objects, over its REST API: open, ask, close."""
