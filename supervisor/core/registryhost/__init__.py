"""What registries send when an image is pushed: of each sender, its proof and its payload."""
