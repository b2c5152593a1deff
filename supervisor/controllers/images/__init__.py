"""Asking registries for newer versions of images, hearing them, keeping and removing images."""
