"""Time that passes at once, whenever all that runs on the loop waits for it.

Not for what waits for processes, threads or other machines: they do not know of it.
"""

from asyncio import AbstractEventLoop

import looptime


def virtual_loop() -> AbstractEventLoop:
    """Make a loop whose clock begins at nought."""
    made = looptime.new_event_loop()
    made.setup_looptime(start=0, noop_cycles=0)
    return made


VIRTUAL_TIME = ("asyncio", {"loop_factory": virtual_loop})
"""What the fixture `anyio_backend` gives where tests run in it."""
