"""A file per command, each with a `command` of click."""
