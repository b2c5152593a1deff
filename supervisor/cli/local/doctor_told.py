"""What `podvisor doctor` is told of podvisor itself: by the daemon, the settings, the files."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import supervisor
from supervisor import __version__
from supervisor.cli.daemon import places
from supervisor.cli.daemon.absent import way_out
from supervisor.cli.daemon.client import NotRunning, Refused, ask
from supervisor.cli.local.page_units import SOCKET
from supervisor.core.config.reader import Reading, read_settings
from supervisor.core.status.daemon_checks import Told
from supervisor.model.errors import Finding

_PATIENCE_SECONDS = 3.0
_QUESTIONS = ("status", "images", "secrets", "certificates")


def told(config: str) -> Told:
    """Ask and read everything, at once."""
    with ThreadPoolExecutor(len(_QUESTIONS)) as threads:
        answers = list(threads.map(_ask, _QUESTIONS))
    silence = next((one for one in answers if isinstance(one, str)), "")
    if isinstance(answers[0], dict):
        silence = ""
    reading = _settings(config)
    unit = Path(places.unit_file())
    return Told(
        version=__version__,
        installed_at=Path(supervisor.__file__).stat().st_mtime,
        now=time.time(),
        service_file=places.shown(str(unit)) if os.path.lexists(unit) else "",
        page_socket=unit.with_name(SOCKET).exists(),
        config=places.shown(config),
        settings=reading.settings,
        findings=reading.findings,
        silence=silence,
        **{
            name: answer if isinstance(answer, dict) else None
            for name, answer in zip(_QUESTIONS, answers, strict=True)
        },
    )


def _ask(question: str) -> dict[str, Any] | str:
    """Return the answer, or why there is none."""
    try:
        answer = json.loads(ask(f"/v1/{question}", timeout_seconds=_PATIENCE_SECONDS))
    except NotRunning:
        return way_out() if question == "status" else "it is not running"
    except Refused as error:
        return f"{error} ({error.hint})" if error.hint else str(error)
    except ValueError:
        return "it answers what nobody understands"
    return answer if isinstance(answer, dict) else "it answers what nobody understands"


def _settings(config: str) -> Reading:
    path = places.shown(config)
    try:
        return read_settings(Path(config).read_text(), path=path)
    except FileNotFoundError:
        return Reading(settings=None, path=path)
    except (OSError, UnicodeDecodeError) as error:
        found = Finding(message=f"it cannot be read: {error}", path=path)
        return Reading(settings=None, findings=(found,), path=path)
