"""What the daemon answers; where none runs, the same is worked out here."""

from functools import partial
from pathlib import Path
from typing import TypeVar

from supervisor.cli.daemon.client import NotRunning, Refused, ask

_T = TypeVar("_T")


def answer(question: str, config: str, kind: type[_T], **request: object) -> _T:
    """Ask `/v1/QUESTION`, and decode the answer; without a daemon `wiring.offline` has the same.

    Raises Failure.
    """
    import msgspec

    try:
        return msgspec.json.decode(ask(f"/v1/{question}", body=request or None), type=kind)
    except msgspec.MsgspecError as error:
        hint = "is it of another version? systemctl --user restart podvisor"
        raise Refused(f"cannot read what the daemon answered: {error}", hint=hint) from error
    except NotRunning:
        from supervisor.cli.daemon.loop import in_loop
        from supervisor.wiring.offline import ANSWERS

        made: _T = in_loop(partial(ANSWERS[question], Path(config), **request))
        return made
