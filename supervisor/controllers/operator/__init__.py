"""What people ask of the daemon, and order."""
