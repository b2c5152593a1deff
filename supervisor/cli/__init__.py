"""The command line: a file per command, and beside them what they share.

`app` finds the command, `client` talks to the daemon, `screen` writes for people. Whatever is
heavy (asyncio, msgspec, rich, the daemon itself) is imported by the command that needs it, when it
needs it.
"""
