"""What the daemon offers to others over HTTP."""
