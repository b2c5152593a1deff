"""Puts TXT records into a zone, and takes them away, by a program of the user's own.

It is run as `HOOK present NAME VALUE` and `HOOK cleanup NAME VALUE`, with a clean environment, and
ended with all that it started when it takes too long, or when the helper that runs it ends.
"""

import os
import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import dns.name
import msgspec

from supervisor.adapters.acme.dns_error import DnsError, FailureKind
from supervisor.adapters.acme.dns_servers import plain
from supervisor.kit.process import Completed, OutputLimit, ProcessTimeout, run
from supervisor.kit.texts import one_line, rough_duration
from supervisor.model.acme import ZoneAccess

_MOST_OUTPUT = 1 << 20
_WORDS = 300
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A program that changes a zone. Its methods raise DnsError."""

    access: ZoneAccess
    timeout_seconds: float
    """For each time that it runs."""

    def put(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None:
        """Add records beside those that are there, one after the other."""
        for value in values:
            self._run("present", name, value, zone)

    def take(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None:
        """Remove these, also where one of them cannot be."""
        failures = []
        for value in values:
            try:
                self._run("cleanup", name, value, zone)
            except DnsError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _run(self, verb: str, name: dns.name.Name, value: str, zone: dns.name.Name) -> None:
        hook = self.access.hook
        what = f"cannot change {plain(zone)} by {hook}"
        _see_to(hook, what)
        try:
            done = self._ended(hook, verb, plain(name), value)
        except ProcessTimeout as error:
            waited = rough_duration(self.timeout_seconds)
            raise DnsError(
                f"{what}: `{verb}` did not end within {waited}",
                "run it by hand: it is to end when it has asked for the change",
            ) from error
        except OutputLimit as error:
            raise DnsError(
                f"{what}: `{verb}` printed more than {_MOST_OUTPUT >> 20} MiB",
                "have it print why it fails, on one line, and nothing else",
            ) from error
        except OSError as error:
            raise DnsError(
                f"{what}: it cannot be started: {error.strerror}",
                "its first line has to name its interpreter: #!/bin/sh",
                FailureKind.REFUSED,
            ) from error
        if done.code:
            ended = f"exit code {done.code}" if done.code > 0 else f"signal {-done.code}"
            raise DnsError(f"{what}: `{verb}` failed ({ended}): {_last_words(done)}")

    def _ended(self, *argv: str) -> Completed:
        home = str(Path.home())
        return anyio.run(
            partial(
                run,
                argv,
                env={"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8"},
                cwd=home if Path(home).is_dir() else "/",
                timeout_seconds=self.timeout_seconds,
                output_limit=_MOST_OUTPUT,
                within=True,
            )
        )


def _see_to(hook: str, what: str) -> None:
    """Refuse what could not be run, or is not this user's to trust."""
    try:
        mode = Path(hook).stat().st_mode
    except OSError as error:
        raise DnsError(
            f"{what}: {error.strerror}",
            "set `hook` to the absolute path of a program",
            FailureKind.REFUSED,
        ) from error
    if not stat.S_ISREG(mode) or not os.access(hook, os.X_OK):
        raise DnsError(
            f"{what}: it is not a program", f"make it one: chmod +x {hook}", FailureKind.REFUSED
        )
    if mode & stat.S_IWOTH:
        raise DnsError(
            f"{what}: everybody may write it",
            f"allow it to yourself only: chmod o-w {hook}",
            FailureKind.REFUSED,
        )


def _last_words(done: Completed) -> str:
    said = f"{done.output.decode(errors='replace')}\n{done.errors}"
    lines = ["".join(filter(str.isprintable, line)).strip() for line in said.splitlines()]
    return one_line(([line for line in lines if line] or ["it said nothing"])[-1], _WORDS)
