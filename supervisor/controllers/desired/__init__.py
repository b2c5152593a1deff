"""The desired state of all apps: sources divided, judged, and what was tried of them."""
