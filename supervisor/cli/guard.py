"""Turns what goes wrong in any command into words and an exit code."""

import os
import sys
from collections.abc import Callable

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning
from supervisor.cli.show import screen
from supervisor.kit.failures import Failure


class HadEnough(Exception):
    """Whoever read our output hung up."""


def guarded(action: Callable[[], int]) -> int:
    """Do it; returns its exit code, or that of what went wrong."""
    try:
        code = action()
        sys.stdout.flush()
    except NotRunning:
        from supervisor.cli.daemon.absent import way_out

        screen.complain("the daemon is not running", way_out())
        return codes.NOT_RUNNING
    except Failure as error:
        screen.complain(str(error), error.hint)
        return codes.ERROR
    except KeyboardInterrupt:
        return codes.INTERRUPTED
    except (BrokenPipeError, HadEnough):
        _drop_output()
        return codes.OK
    except OSError as error:
        _drop_output()
        doing = f"use {places.shown(str(error.filename))}" if error.filename else "write the output"
        screen.complain(f"cannot {doing}: {error.strerror or error}")
        return codes.ERROR
    return code


def _drop_output() -> None:
    """Forget what is left unwritten: it would make the interpreter complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
