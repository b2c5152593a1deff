"""Who ordered what is being done, for the event log to name: set around an order, read as it logs.

What an order only gives rise to, in passes of their own, is nobody's.
"""

from contextvars import ContextVar

ORDERED_BY: ContextVar[str] = ContextVar("ORDERED_BY", default="")
