"""The JSON Schema of what commands write with --json, from the types that they write.

`contrib/cli-reference` writes it down; a test holds real output against it.
"""

from typing import Any

import click
import msgspec

from supervisor.cli.show.registry_forms import Missing
from supervisor.core.githost.host import Form
from supervisor.model.certificate_status import CertificateList, CertificateStatus
from supervisor.model.check import Check
from supervisor.model.client_folders import ImportReport
from supervisor.model.counters import Metrics
from supervisor.model.doctor import Diagnosis
from supervisor.model.errors import Finding
from supervisor.model.events import Event
from supervisor.model.idle import Report
from supervisor.model.image_status import ImageList, ImageReply
from supervisor.model.notify import NotifierList, NotifyTest
from supervisor.model.plan import Plan
from supervisor.model.rehearsal import RehearsalReport
from supervisor.model.rollout import Hold
from supervisor.model.secret import SecretList
from supervisor.model.secret_files import EncryptedFiles, OwnRecipient
from supervisor.model.status import AppStatus, History, Reloaded, Status, SyncReply
from supervisor.model.trust import TrustReport
from supervisor.model.webhook import WebhookTest
from supervisor.model.why import Why
from supervisor.model.wire import Problem

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ORDER = "lines of what is done as it is done, the last of them the reply"


class LineOfLog(msgspec.Struct, kw_only=True):
    """What a program wrote."""

    time: float
    unit: str
    by: str
    """What wrote it: its name in the journal."""
    line: str


class EventOfLog(msgspec.Struct, kw_only=True):
    """What podvisor did between."""

    event: Event


class FileDiff(msgspec.Struct, kw_only=True):
    """One file or unit that differs."""

    path: str
    change: str
    """`added`, `removed` or `changed`."""
    hidden: str
    """Why the texts are left out, empty if they are here."""
    diff: str
    """Unified."""


class DiffOfApp(msgspec.Struct, kw_only=True):
    """One app that differs."""

    app: str
    revision: str
    """That is here."""
    wanted_revision: str
    held: Hold | None
    files: tuple[FileDiff, ...]
    units: tuple[FileDiff, ...]
    findings: tuple[Finding, ...]


class DiffOfAll(msgspec.Struct, kw_only=True):
    """What `podvisor diff` found."""

    apps: tuple[DiffOfApp, ...]
    problems: tuple[Finding, ...]


class Told(msgspec.Struct, kw_only=True):
    """What was done."""

    event: Event


class Waits(msgspec.Struct, kw_only=True):
    """An app that waits for something."""

    waiting: AppStatus


class SyncEnd(msgspec.Struct, kw_only=True):
    """How all stands at the end."""

    reply: SyncReply


class ImageEnd(msgspec.Struct, kw_only=True):
    """How images stand at the end."""

    reply: ImageReply


class CertificateEnd(msgspec.Struct, kw_only=True):
    """How certificates stand at the end."""

    reply: CertificateList


class Failed(msgspec.Struct, kw_only=True):
    """Why it was not done; the last line, too."""

    problem: Problem


LINES = (Told, Waits, Failed)
SYNC, IMAGES, CERTIFICATES = (*LINES, SyncEnd), (*LINES, ImageEnd), (*LINES, CertificateEnd)
WRITES: dict[str, tuple[tuple[type[msgspec.Struct], ...], str]] = {
    "check": ((Check,), ""),
    "plan": ((Plan,), ""),
    "diff": ((DiffOfAll,), ""),
    "sync": (SYNC, ORDER),
    "status": ((Status,), "with `--watch` a line at each change"),
    "why": ((Why,), ""),
    "events": ((Event,), "a line each"),
    "logs": ((LineOfLog, EventOfLog), "a line each"),
    "history": ((History,), ""),
    "rollback": (SYNC, ORDER),
    "restore": (SYNC, ORDER),
    "scale": (SYNC, ORDER),
    "suspend": ((Status,), ""),
    "resume": (SYNC, ORDER),
    "images": ((ImageList,), ""),
    "update": (IMAGES, ORDER),
    "pin": (IMAGES, ORDER),
    "unpin": (IMAGES, ORDER),
    "retry": (SYNC, ORDER),
    "trust": ((TrustReport,), ""),
    "reload": ((Reloaded,), ""),
    "secret init": ((OwnRecipient,), ""),
    "secret encrypt": ((EncryptedFiles,), ""),
    "secret list": ((SecretList,), ""),
    "secret rotate": ((SyncReply,), ""),
    "certs": ((CertificateList,), ""),
    "certs show": ((CertificateStatus,), ""),
    "certs renew": (CERTIFICATES, ORDER),
    "certs revoke": (CERTIFICATES, ORDER),
    "certs import": ((ImportReport,), ""),
    "certs test": ((RehearsalReport,), ""),
    "webhook": ((Form, Missing, WebhookTest), "a list of forms, if there are several"),
    "notify": ((NotifierList,), ""),
    "notify test": ((NotifyTest,), ""),
    "metrics": ((Metrics,), ""),
    "doctor": ((Diagnosis,), ""),
    "bench": ((Report,), ""),
}
"""Command to what it writes, one of these types, and how, where that is not one document."""

WITHOUT = {
    "run": "it is the daemon: its log goes to the journal, with fields",
    "init": "it writes the settings, and its exit code says whether it did",
    "setup": "it shows a person what it runs; `podvisor doctor --json` says what is lacking",
    "secret": "it does nothing of its own",
    "secret edit": "it opens an editor",
    "certs root": "it prints a certificate (PEM), which programs read",
    "web": "it serves the page, and the API there writes JSON",
    "completion": "it writes a script for a shell",
    "help": "it shows a text",
}
"""Command to why it writes no JSON."""


def takes_json(command: click.Command) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


def document() -> dict[str, Any]:
    """Return the schema, each command's output under its name in `$defs`: `podvisor-status`."""
    types = {one for kinds, _ in WRITES.values() for one in kinds}
    ordered = sorted(types, key=lambda one: one.__name__)
    found, schemas = msgspec.json.schema_components(ordered, ref_template="#/$defs/{name}")
    refs = dict(zip(ordered, found, strict=True))
    commands = {
        f"podvisor-{name.replace(' ', '-')}": _one_of([refs[kind] for kind in kinds])
        for name, (kinds, _) in WRITES.items()
    }
    forms = {"type": "array", "items": refs[Form]}
    commands["podvisor-webhook"]["anyOf"].append(forms)
    return {
        "$schema": DIALECT,
        "title": "What podvisor writes with --json",
        "$defs": {**commands, **schemas},
    }


def _one_of(refs: list[dict[str, Any]]) -> dict[str, Any]:
    return refs[0] if len(refs) == 1 else {"anyOf": refs}
