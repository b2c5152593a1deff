"""What became of apps' jobs before a deploy, kept in the ledger under a note of each app."""

import msgspec

from supervisor.controllers.ports import Ledger
from supervisor.model.observed import JobRun


def job_run(ledger: Ledger, app: str) -> JobRun | None:
    """Return what is known; None if nothing is."""
    try:
        return msgspec.json.decode(ledger.note(_key(app)) or "null", type=JobRun | None)
    except msgspec.MsgspecError:
        return None


def put_job_run(ledger: Ledger, app: str, run: JobRun) -> None:
    """Keep it."""
    ledger.put_note(_key(app), msgspec.json.encode(run).decode())


def forgive(ledger: Ledger, app: str) -> None:
    """Forget that a job failed, so that it is tried again; those that ended well are done."""
    run = job_run(ledger, app)
    if run and run.failed:
        put_job_run(ledger, app, msgspec.structs.replace(run, failed="", why=""))


def forget(ledger: Ledger, app: str) -> None:
    """Forget everything: the app is gone."""
    if ledger.note(_key(app)):
        ledger.put_note(_key(app), "")


def _key(app: str) -> str:
    return f"jobs:{app}"
