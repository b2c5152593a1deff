"""A file for each sender, and their registry."""
