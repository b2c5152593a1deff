"""Why a container could not have a port of the host: who has it, or how it is had."""

from supervisor.controllers.ports import Host
from supervisor.core.port_trouble import refused_port_mend, taken_port


async def explained(words: str, host: Host) -> str:
    """Add that to the last words of a unit that failed, where they are about a port."""
    more = refused_port_mend(words)
    if taken := taken_port(words):
        holder = await host.port_holder(taken.port, taken.protocol)
        more = f"port {taken.port} is taken by {holder or 'somebody who is gone now'}"
    return f"{words}; {more}" if more else words
