"""`contrib/host forward`: a port of this machine that leads to the same one of a host's loopback.

Both are of 127.0.0.1. It listens before it enters the host's network, and connects after it: a
socket stays in the network that it was made in.
"""

import asyncio
import contextlib
import ctypes
import os
import socket


def forward(pid: str, port: int) -> None:
    """Serve until it is interrupted; `pid` is the host's first process. Raises OSError."""
    listener = socket.create_server(("127.0.0.1", port))
    with open(f"/proc/{pid}/ns/net") as network:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(network.fileno(), 0):
            raise OSError(ctypes.get_errno(), "cannot enter the host's network")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(listener, port))


async def serve(listener: socket.socket, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            print(f"host: nobody answers there: {os.strerror(error.errno or 0)}", flush=True)
            writer.close()
            return
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    async with await asyncio.start_server(connected, sock=listener) as server:
        await server.serve_forever()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()
