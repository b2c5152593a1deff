"""What `podvisor doctor` is told of podvisor itself: by the daemon, the settings, the files."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import supervisor
from supervisor import __version__
from supervisor.adapters.host.commands import answer
from supervisor.adapters.secrets.references import read_private
from supervisor.cli.daemon import places
from supervisor.cli.daemon.absent import way_out
from supervisor.cli.daemon.client import NotRunning, Refused, ask
from supervisor.cli.local.page_units import SOCKET
from supervisor.core.config.reader import Reading, read_settings, secret_refs
from supervisor.core.status.daemon_checks import Told
from supervisor.model.errors import Failure, Finding, Stalled

_PATIENCE_SECONDS = 3.0
_QUESTIONS = ("status", "images", "secrets", "certificates", "notify")


def told(config: str) -> Told:
    """Ask and read everything, at once."""
    with ThreadPoolExecutor(len(_QUESTIONS)) as threads:
        answers = list(threads.map(_ask, _QUESTIONS))
    silence = answers[0] if isinstance(answers[0], str) else ""
    if silence:
        answers = [silence, *_from_ledger()]
    reading = _settings(config)
    unit = Path(places.unit_file())
    return Told(
        version=__version__,
        installed_at=Path(supervisor.__file__).stat().st_mtime,
        now=time.time(),
        service_file=places.shown(str(unit)) if os.path.lexists(unit) else "",
        page_socket=unit.with_name(SOCKET).exists(),
        page_state=answer("systemctl", "--user", "is-active", SOCKET).strip(),
        config=places.shown(config),
        settings=reading.settings,
        findings=reading.findings,
        unread=tuple(_unread(reading)),
        silence=silence,
        **{
            name: told if isinstance(told, dict) else None
            for name, told in zip(_QUESTIONS, answers, strict=True)
        },
    )


def _ask(question: str) -> dict[str, Any] | str:
    """Return the answer, or why there is none."""
    try:
        told = json.loads(ask(f"/v1/{question}", timeout_seconds=_PATIENCE_SECONDS))
    except NotRunning:
        return way_out() if question == "status" else "it is not running"
    except Refused as error:
        return f"{error} ({error.hint})" if error.hint else str(error)
    except ValueError:
        return "it answers what nobody understands"
    return told if isinstance(told, dict) else "it answers what nobody understands"


def _from_ledger() -> Iterator[dict[str, Any] | str]:
    """Return what the ledger knows of the questions, the first apart."""
    from supervisor.cli.daemon.offline import certificates_from_ledger, images_from_ledger

    read: dict[str, Callable[[str], bytes]] = {
        "images": images_from_ledger,
        "certificates": certificates_from_ledger,
    }
    path = places.ledger_file()
    for question in _QUESTIONS[1:]:
        known: Any = ""
        if question in read and Path(path).exists():
            with suppress(Failure, OSError, ValueError, sqlite3.Error):
                known = json.loads(read[question](path))
        yield known


def _unread(reading: Reading) -> Iterator[Finding]:
    """Look whether the secrets that the settings name in files can be read."""
    references = secret_refs(reading.settings) if reading.settings else {}
    for key, reference in references.items():
        if reference.kind == "file":
            try:
                read_private(reference.place)
            except Stalled as failure:
                yield Finding.of(failure, about=".".join(key))


def _settings(config: str) -> Reading:
    path = places.shown(config)
    try:
        return read_settings(Path(config).read_text(), path=path)
    except FileNotFoundError:
        return Reading(settings=None, path=path)
    except (OSError, UnicodeDecodeError) as error:
        found = Finding(message=f"it cannot be read: {error}", path=path)
        return Reading(settings=None, findings=(found,), path=path)
