"""ACME (RFC 8555): the process that has certificates issued, and who asks it."""
