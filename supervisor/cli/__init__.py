"""The command line: `commands` has a file per command, the other rooms what they share.

`app` finds the command, `daemon.client` talks to the daemon, `show.screen` writes. Whatever is
heavy (asyncio, msgspec, rich, the daemon itself) is imported by the command that needs it, when it
needs it.
"""
