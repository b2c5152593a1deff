"""What the ledger says where no daemon runs, but for the status; no file is made or changed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from supervisor.adapters.ledger import schema
from supervisor.adapters.ledger.reader import known_apps, names
from supervisor.adapters.ledger.rows import read_documents
from supervisor.adapters.ledger.rows import read_events as read_events_of
from supervisor.core.files.names import app_and_unit, unknown_app, unknown_unit
from supervisor.core.status.event_codes import check_code
from supervisor.core.status.image_status import Known, last_image_statuses
from supervisor.kit.clock import SystemClock
from supervisor.model.certificate import CertificateRecord
from supervisor.model.certificate_status import CertificateList
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventQuery
from supervisor.model.image import ImageKnowledge, ImageOrder
from supervisor.model.image_status import ImageList
from supervisor.model.incident import Incident
from supervisor.model.ledger_documents import D
from supervisor.model.observed import AppliedApp, UnitInputs
from supervisor.model.rollout import Hold, Rollout, Scale, Suspension
from supervisor.model.status import History
from supervisor.model.volumes import AppVolumes


def history_from_ledger(path: str, app: str) -> bytes:
    """Return a `History`, as JSON. Raises Stalled for an app that the ledger does not know."""
    with schema.reading(Path(path)) as ledger:
        known, applied = known_apps(ledger), read_documents(ledger, AppliedApp, app).get(app)
        held = read_documents(ledger, Hold, app).get(app, {}).get("")
        tried = read_documents(ledger, Rollout, app).get(app, {})
        volumes = read_documents(ledger, AppVolumes, app).get(app, {}).get("", AppVolumes())
    if app not in known and not tried:
        raise unknown_app(app, known)
    return msgspec.json.encode(
        History(
            app=app,
            running=applied[""].release if applied else "",
            held=held,
            rollouts=tuple(reversed(_in_order(tried))),
            volumes=volumes.snapshots[::-1],
        )
    )


def images_from_ledger(path: str, app: str = "") -> bytes:
    """Return an `ImageList`, as JSON. Raises Stalled for an app that the ledger does not know."""
    with schema.reading(Path(path)) as ledger:
        apps = known_apps(ledger)
        applied = read_documents(ledger, AppliedApp, app or None)
        tried = read_documents(ledger, Rollout, app or None)
        known = Known(
            knowledge=_by_key(read_documents(ledger, ImageKnowledge)).get,
            order=_by_key(read_documents(ledger, ImageOrder)).get,
        )
    if app and app not in apps:
        raise unknown_app(app, apps)
    images = [
        status
        for name, one in sorted(applied.items())
        for status in last_image_statuses(
            name, _in_order(tried.get(name, {})), one[""].release, known
        )
    ]
    return msgspec.json.encode(ImageList(running=False, images=tuple(images)))


def certificates_from_ledger(path: str) -> bytes:
    """Return a `CertificateList`, as JSON: what is installed, and what was not to be had."""
    from supervisor.core.certificates.status import certificate_status

    with schema.reading(Path(path)) as ledger:
        known = _by_key(read_documents(ledger, CertificateRecord))
        units = _users(read_documents(ledger, UnitInputs))
    now = SystemClock().now()
    certificates = (
        certificate_status(name, record, now, units=units.get(name, ()))
        for name, record in sorted(known.items())
        if record.installed_in or record.failure or record.files_failure
    )
    return msgspec.json.encode(CertificateList(running=False, certificates=tuple(certificates)))


def why_from_ledger(path: str, name: str) -> bytes:
    """Return a `Why`, as JSON. Raises Stalled for what the ledger does not know."""
    from supervisor.core.status.why import why
    from supervisor.core.status.why_material import Material, read_events

    with schema.reading(Path(path)) as ledger:
        read = partial(read_events_of, ledger)
        units = {app: (*parts,) for app, parts in names(ledger, "unit").items()}
        try:
            app, unit = app_and_unit(name, {**dict.fromkeys(known_apps(ledger), ()), **units})
        except Stalled:
            if not read(EventQuery(app=name, limit=1)):
                raise
            app, unit = name, ""  # it has left
        events, of_sources = read_events(read, app, unit)
        orders = read_documents(ledger, Suspension)
        incidents = _by_key(read_documents(ledger, Incident)).values()
        material = Material(
            app=app,
            unit=unit,
            running=False,
            incidents=tuple(one for one in incidents if one.app == app),
            applied=read_documents(ledger, AppliedApp, app).get(app, {}).get(""),
            rollouts=tuple(_in_order(read_documents(ledger, Rollout, app).get(app, {}))),
            held=read_documents(ledger, Hold, app).get(app, {}).get(""),
            suspensions=tuple(
                _by_key({key: orders[key] for key in (app, "") if key in orders}).values()
            ),
            scales=tuple(
                one for one in _by_key(read_documents(ledger, Scale)).values() if one.app == app
            ),
            events=events,
            of_sources=of_sources,
        )
    return msgspec.json.encode(why(material, SystemClock().now()))


def _users(started: Mapping[str, Mapping[str, UnitInputs]]) -> dict[str, tuple[str, ...]]:
    """Return the units that were started with a certificate, by its name."""
    users: dict[str, tuple[str, ...]] = {}
    for units in started.values():
        for unit, inputs in units.items():
            for name in inputs.certificates:
                users[name] = (*users.get(name, ()), unit)
    return users


def events_from_ledger(path: str, query: EventQuery) -> list[Event]:
    """Return entries of the event log.

    Raises Stalled for an app or a unit that the ledger does not know, or no such code.
    """
    check_code(query.code or "")
    app, unit = query.app, query.unit
    with schema.reading(Path(path)) as ledger:
        found = read_events_of(ledger, query)
        if app and not found and not read_events_of(ledger, EventQuery(app=app, limit=1)):
            known = known_apps(ledger)
            if app not in known:
                raise unknown_app(app, known)
        if unit and not found and not read_events_of(ledger, EventQuery(unit=unit, limit=1)):
            units = {one for some in names(ledger, "unit").values() for one in some}
            if unit not in units:
                raise unknown_unit(unit, units)
    return found


def _in_order(tried: Mapping[str, Rollout]) -> list[Rollout]:
    return sorted(tried.values(), key=lambda one: one.order)


def _by_key(found: Mapping[str, Mapping[str, D]]) -> dict[str, D]:
    return {key: parts[""] for key, parts in found.items() if "" in parts}
