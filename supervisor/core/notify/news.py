"""What is news: of incidents, of how apps stand, and of entries of the event log."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from supervisor.kit.texts import count, quoted, short_id
from supervisor.model.events import Event, EventKind
from supervisor.model.image import HeldUpdate
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.notify import Lasts, News
from supervisor.model.notify_settings import NotifyKind
from supervisor.model.pull_request import ProposalStatus
from supervisor.model.status import AppState, AppStatus

_KIND_OF = {
    "app-reverted": NotifyKind.REVERTED,
    "update-failed": NotifyKind.REVERTED,
    "disk-nearly-full": NotifyKind.DISK,
}
_CERTIFICATE = "certificate"
_UNTOLD = ("settings-doubtful",)
"""Whoever writes the settings sees it."""
_ENDS = {
    IncidentCode.APP_REFUSED: "{app} is no longer refused",
    IncidentCode.APP_REVERTED: "the newest revision of {app} is no longer one that was taken back",
    IncidentCode.APP_FAILING: "{app} is no longer failing",
    IncidentCode.JOB_FAILED: "{subject} no longer keeps {app} from being deployed",
    IncidentCode.UPDATE_FAILED: "of {subject} no version is in quarantine any more",
    IncidentCode.UNIT_DOWN: "{subject} is no longer down",
    IncidentCode.UNIT_FAILED: "{subject} has not failed when it ran last",
    IncidentCode.UNIT_PAUSED: "{subject} is no longer paused or frozen",
    IncidentCode.UNIT_UNHEALTHY: "{subject} is no longer unhealthy",
    IncidentCode.IMAGE_UNAVAILABLE: "image {subject} is no longer missed",
    IncidentCode.SECRET_MISSING: "secret {subject} is no longer missed",
    IncidentCode.CERTIFICATE_FAILING: "nothing is wrong with certificate {subject} any more",
    IncidentCode.DEPENDENCY_FAILING: "{app} no longer misses what it needs of {subject}",
    IncidentCode.FILES_CHANGED: "nobody changes the files of {app} any more",
    IncidentCode.VOLUMES_FAILING: "nothing is wrong with the volumes of {app} any more",
    IncidentCode.SOURCE_UNREADABLE: "source {subject} can be read again",
    IncidentCode.SOURCE_REFUSED: "{subject} is no longer refused",
    IncidentCode.SETTINGS_REFUSED: "the settings are no longer refused",
    IncidentCode.SETTINGS_DOUBTFUL: "nothing of the settings is doubtful any more",
    IncidentCode.HOST_UNFIT: "the machine no longer lacks what podvisor needs ({subject})",
    IncidentCode.DISK_NEARLY_FULL: "there is room again in {subject}",
    IncidentCode.LEDGER_UNWRITABLE: "what happens is written down again",
    IncidentCode.LEDGER_LOST: "the damaged ledger {subject} was seen to",
    IncidentCode.WEBHOOKS_FAILING: "webhooks of {subject} can be heard again",
    IncidentCode.COMMIT_STATUS_UNSENT: "the Git host of {subject} is told again",
    IncidentCode.WRITEBACK_FAILING: "versions are written back to {subject} again",
    IncidentCode.PULL_REQUEST_FAILING: "pull requests of {subject} can be opened again",
    IncidentCode.NOTIFIER_FAILING: "notifier {subject} can send again",
    IncidentCode.SUPERVISOR_FAILING: "podvisor can do again what failed: {subject}",
}
"""What is said of the end, true also where what was wrong has been removed."""
_CUT_OFF = ("started-crashed", "started-power-lost")
"""Codes of a start after the last run did not end as it should."""


def of_incidents(incidents: Mapping[str, Incident]) -> dict[str, News]:
    """Return what is wrong, by the keys of the incidents."""
    return {
        key: News(
            key=key,
            kind=_kind(one.code),
            lasts=Lasts.OPEN,
            app=one.app,
            about="" if one.app else _about(one),
            text=one.text,
            hint=one.hint,
            command=one.command,
            log=one.log,
            end=_ENDS[one.code].format(app=one.app, subject=one.subject),
            since=one.opened_at,
        )
        for key, one in incidents.items()
        if one.code not in _UNTOLD
    }


def of_board(apps: Iterable[AppStatus], proposals: Mapping[str, ProposalStatus]) -> Iterator[News]:
    """Yield what waits for time or for a person."""
    for app in apps:
        for update in app.updates:
            if not update.failed:
                yield _of_update(update)
        if app.state is AppState.KEPT:
            yield News(
                key=f"kept {app.name}",
                kind=NotifyKind.WAITING,
                lasts=Lasts.STANDING,
                app=app.name,
                text=f"{app.name} is no longer in its source, and is kept until you say so",
                command="podvisor sync --prune-all",
            )
    for source, one in proposals.items():
        yield News(
            key=f"proposal {source} {one.name}",
            kind=NotifyKind.WAITING,
            lasts=Lasts.STANDING,
            about=f"source {source}",
            text=f"{one.name} waits for you to merge it",
            hint=one.url,
        )


def of_event(event: Event) -> News | None:
    """Return what an entry of the event log is news of, if of anything."""
    command = f"podvisor history {event.app}"
    match event.kind:
        case EventKind.APPLIED:
            author = f" (author {quoted(event.author)})" if event.author else ""
            by = f" as {event.by} ordered" if event.by else ""
            what = f"{short_id(event.revision)}{author} of {event.source}{by}"
            text = f"{event.app} runs {what}, which passed its gate"
            if event.reason:
                text += f" ({event.reason})"
            log = (event.detail,) if event.detail else ()
        case EventKind.REMOVED:
            text, log = f"{event.app} was removed: {event.reason}", ()
            command = f"podvisor events {event.app}"  # its releases went with it
        case EventKind.STARTED if event.code in _CUT_OFF:
            return News(
                key=f"crash {event.id}",
                kind=NotifyKind.CRASH,
                text=f"podvisor runs again: {event.reason}",
                hint=event.detail,
                command="journalctl --user -u podvisor -n 50",
                since=event.time,
            )
        case _:
            return None
    # Of an app the last one counts.
    return News(
        key=f"deployed {event.app}",
        kind=NotifyKind.DEPLOYED,
        app=event.app,
        text=text,
        hint="; ".join(log),
        command=command,
        since=event.time,
    )


def _kind(code: str) -> NotifyKind:
    if code.startswith(_CERTIFICATE):
        return NotifyKind.CERTIFICATE
    return _KIND_OF.get(code, NotifyKind.PROBLEM)


def _about(one: Incident) -> str:
    is_source = one.code.startswith("source-")
    return f"source {one.subject.partition(':')[0]}" if is_source else ""


def _of_update(update: HeldUpdate) -> News:
    waits_for_person = not update.until
    text = f"a newer version of {update.image}, {update.version}, is not run: {update.why}"
    return News(
        key=f"update {update.app} {update.question} {update.version.runs}",
        kind=NotifyKind.UPDATE,
        also=NotifyKind.WAITING if waits_for_person and update.early else None,
        lasts=Lasts.STANDING,
        app=update.app,
        text=text,
        command=f"podvisor update {update.app} --now" if update.early else "podvisor images",
        until=update.until,
    )


def counted(batch: Iterable[News], *, ailing: Collection[str] = ()) -> str:
    """Say how many of which kind there are: `2 problems, 1 recovered`.

    Nothing that is `ailing` (by `who`) has recovered, though something of it is over.
    """
    numbers: dict[tuple[str, str], int] = {}
    for one in batch:
        word = _NAMES[one.kind]
        if one.is_gone:
            word = _GONE
        elif one.is_over:
            word = _OVER if one.who in ailing else _NAMES[NotifyKind.RECOVERED]
        numbers[word] = numbers.get(word, 0) + 1
    return ", ".join(count(number, *word) for word, number in numbers.items())


_GONE, _OVER = ("removed", "removed"), ("over", "over")


_NAMES = {
    NotifyKind.PROBLEM: ("problem", "problems"),
    NotifyKind.REVERTED: ("taken back", "taken back"),
    NotifyKind.CERTIFICATE: ("certificate in trouble", "certificates in trouble"),
    NotifyKind.DISK: ("disk nearly full", "disks nearly full"),
    NotifyKind.CRASH: ("crash of podvisor", "crashes of podvisor"),
    NotifyKind.RECOVERED: ("recovered", "recovered"),
    NotifyKind.WAITING: ("waits for you", "wait for you"),
    NotifyKind.DEPLOYED: ("deployed", "deployed"),
    NotifyKind.UPDATE: ("newer version", "newer versions"),
    NotifyKind.COOLDOWN: ("cooldown over", "cooldowns over"),
}
