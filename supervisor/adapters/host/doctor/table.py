"""Every check of this machine, and having them looked at together."""

import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from supervisor.adapters.host.doctor import (
    account,
    engine,
    logins,
    machine,
    quadlets,
    rivals,
    session,
)
from supervisor.adapters.host.doctor.host import Host
from supervisor.core.status.examination import Check, unknown
from supervisor.model.doctor import Examined, Group

CHECKS: tuple[Check[Host], ...] = (
    *account.CHECKS,
    *session.CHECKS,
    *engine.CHECKS,
    *logins.CHECKS,
    *quadlets.CHECKS,
    *rivals.CHECKS,
    *machine.CHECKS,
)
FOR_ROOT = tuple(
    one
    for one in CHECKS
    if one.group is Group.MACHINE or one.code in ("rootless", "podman-installed")
)
"""What makes sense for root, who is sent away."""
_AT_ONCE = 12
PATIENCE_SECONDS = 10.0


def examine(
    host: Host, checks: Sequence[Check[Host]] = CHECKS, *, patience: float = PATIENCE_SECONDS
) -> list[Examined]:
    """Look at everything, together; what does not end in time is said to be unknown.

    A look that hangs (a file on a network that is gone) is left to its thread, which ends with the
    program.
    """
    waiting: SimpleQueue[tuple[int, Check[Host]]] = SimpleQueue()
    done: SimpleQueue[tuple[int, tuple[Examined, ...]]] = SimpleQueue()
    for numbered in enumerate(checks):
        waiting.put(numbered)

    def work() -> None:
        while True:
            try:
                number, check = waiting.get_nowait()
            except Empty:
                return
            done.put((number, _examined(check, host)))

    for _ in range(min(_AT_ONCE, len(checks))):
        threading.Thread(target=work, daemon=True).start()
    found: dict[int, tuple[Examined, ...]] = {}
    _collect(found, done, len(checks), time.monotonic() + patience)
    late = unknown(f"no answer within {patience:.0f} s")
    return [
        one for number, check in enumerate(checks) for one in found.get(number, (check.said(late),))
    ]


def _collect(
    found: dict[int, tuple[Examined, ...]],
    done: "SimpleQueue[tuple[int, tuple[Examined, ...]]]",
    wanted: int,
    end: float,
) -> None:
    while len(found) < wanted:
        try:
            number, answers = done.get(timeout=max(0.0, end - time.monotonic()))
        except Empty:
            return
        found[number] = answers


def _examined(check: Check[Host], host: Host) -> tuple[Examined, ...]:
    """Look; a defect of a check is not to hide what the others found."""
    try:
        return check.examine(host)
    except Exception as defect:  # noqa: BLE001
        return (check.said(unknown(f"the check failed: {type(defect).__name__}: {defect}")),)
