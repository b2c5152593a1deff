"""Asking registries for newer versions of images."""
