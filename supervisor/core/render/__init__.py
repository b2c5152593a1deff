"""From Podman's generator's words, and the app's own, to desired units and findings."""
