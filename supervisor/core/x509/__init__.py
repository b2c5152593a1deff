"""What stands in certificates, and whether a key and a chain fit; for processes that end."""
