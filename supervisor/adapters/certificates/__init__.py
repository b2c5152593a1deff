"""Certificates: their files, the servers that serve them, an authority of one's own."""
