"""The one table of what can be asked of the daemon over HTTP, and of what answers it.

`api.control` serves it; its OpenAPI document (`api.openapi`), the clients' methods
(`client.methods`) and the references (docs/reference/api.md, client.md) are made from it.
"""

import enum
from typing import Literal

import msgspec

from supervisor.model.certificate_status import CertificateList, RenewRequest, RevokeRequest
from supervisor.model.comparison import CompareQuery, Comparison
from supervisor.model.counters import Metrics
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.events import Event, EventQuery
from supervisor.model.image_status import (
    ImageList,
    ImageReply,
    PinRequest,
    SignatureList,
    UpdateRequest,
)
from supervisor.model.log import LogQuery, UnitLog
from supervisor.model.machine import Machine
from supervisor.model.notify import NotifierList, NotifyTest, NotifyTestRequest
from supervisor.model.plan import Plan, PlanRequest
from supervisor.model.rehearsal import RehearsalReport, RehearsalRequest
from supervisor.model.secret import RotateRequest, SecretList
from supervisor.model.status import (
    AppOrder,
    AppQuery,
    History,
    HistoryQuery,
    OrderRequest,
    Reloaded,
    ScaleRequest,
    Status,
    SyncReply,
    SyncRequest,
)
from supervisor.model.webhook import WebhookTest, WebhookTestRequest
from supervisor.model.why import Why, WhyQuery
from supervisor.model.wire import NoRequest

BY = "podvisor-by"
"""The header in which the page says whose order it is; percent-encoded UTF-8."""


class Answer(enum.StrEnum):
    """How an endpoint answers."""

    WHOLE = "the reply"
    TOLD = "lines of what is done as it is done, the last of them the reply, or why not"
    STREAM = "lines, each of them one reply"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One question, or one order."""

    name: str
    """Of the client's method, and of the operation in the OpenAPI document."""
    method: Literal["GET", "POST"]
    path: str
    request: type[msgspec.Struct] = NoRequest
    """Of a GET its query, of a POST its body."""
    reply: type[msgspec.Struct]
    answer: Answer = Answer.WHOLE
    is_order: bool = False
    """Whether it has something changed."""
    is_awaited: bool = False
    """Whether it is given up when whoever asks hangs up."""
    summary: str


def _question(
    path: str,
    request: type[msgspec.Struct],
    reply: type[msgspec.Struct],
    summary: str,
    *,
    method: Literal["GET", "POST"] = "GET",
    answer: Answer = Answer.WHOLE,
    is_awaited: bool = False,
    name: str = "",
) -> Endpoint:
    return Endpoint(
        name=name or path.removeprefix("/v1/"),
        method=method,
        path=path,
        request=request,
        reply=reply,
        summary=summary,
        answer=answer,
        is_awaited=is_awaited,
    )


def _order(
    path: str,
    request: type[msgspec.Struct],
    reply: type[msgspec.Struct],
    summary: str,
    *,
    answer: Answer = Answer.TOLD,
    name: str = "",
) -> Endpoint:
    return Endpoint(
        name=name or path.removeprefix("/v1/"),
        method="POST",
        path=path,
        request=request,
        reply=reply,
        answer=answer,
        is_order=True,
        summary=summary,
    )


ENDPOINTS = (
    _question("/v1/status", AppQuery, Status, "how everything, or one app, stands"),
    _question("/v1/history", HistoryQuery, History, "the releases of an app that were tried here"),
    _question("/v1/compare", CompareQuery, Comparison, "what two releases of an app differ in"),
    _question("/v1/events", EventQuery, Event, "entries of the event log", answer=Answer.STREAM),
    _question("/v1/why", WhyQuery, Why, "why an app or a unit is as it is: the chain of causes"),
    _question("/v1/images", AppQuery, ImageList, "how the images of all apps, or of one, stand"),
    _question(
        "/v1/signatures", NoRequest, SignatureList, "which images somebody has to have signed"
    ),
    _question("/v1/secrets", NoRequest, SecretList, "how all secrets stand; never what is in them"),
    _question("/v1/certificates", NoRequest, CertificateList, "how all certificates stand"),
    _question(
        "/v1/notify",
        NoRequest,
        NotifierList,
        "what each notifier told, and what waits",
        name="notifiers",
    ),
    _question("/v1/metrics", NoRequest, Metrics, "what metrics are made of; it costs little"),
    _question("/v1/logs", LogQuery, UnitLog, "what a unit's programs wrote last"),
    _question("/v1/machine", AppQuery, Machine, "what podvisor and its apps take of the machine"),
    _question(
        "/v1/plan", PlanRequest, Plan, "what would be done now; nothing is done", method="POST"
    ),
    _question(
        "/v1/diff",
        DiffRequest,
        Diff,
        "what is installed beside what the sources hold; nothing is done",
        method="POST",
    ),
    _question(
        "/v1/certificates/test",
        RehearsalRequest,
        RehearsalReport,
        "what an order for a certificate would come to, tried where it costs nothing",
        method="POST",
        is_awaited=True,
        name="test_certificate",
    ),
    _order(
        "/v1/sync", SyncRequest, SyncReply, "read the sources now, and bring apps to what they say"
    ),
    _order("/v1/suspend", OrderRequest, Status, "have apps left alone", answer=Answer.WHOLE),
    _order("/v1/resume", OrderRequest, SyncReply, "have apps go on that were suspended or held"),
    _order(
        "/v1/rollback",
        AppOrder,
        SyncReply,
        "bring an app back to an older release, and hold it there",
    ),
    _order("/v1/restore", AppOrder, SyncReply, "as a rollback, with what its volumes held then"),
    _order("/v1/retry", AppOrder, SyncReply, "try once more what failed in an app"),
    _order("/v1/scale", ScaleRequest, SyncReply, "have another number of replicas of a unit"),
    _order(
        "/v1/update",
        UpdateRequest,
        ImageReply,
        "ask for newer versions of images now, and run them",
    ),
    _order("/v1/pin", PinRequest, ImageReply, "have images of an app stay at a version"),
    _order(
        "/v1/unpin", PinRequest, ImageReply, "have images of an app follow newer versions again"
    ),
    _order(
        "/v1/secrets/rotate",
        RotateRequest,
        SyncReply,
        "give a generated secret another value",
        answer=Answer.WHOLE,
        name="rotate_secret",
    ),
    _order(
        "/v1/certificates/renew",
        RenewRequest,
        CertificateList,
        "have another certificate issued",
        name="renew_certificate",
    ),
    _order(
        "/v1/certificates/revoke",
        RevokeRequest,
        CertificateList,
        "have a certificate declared void, and another one issued",
        name="revoke_certificate",
    ),
    _order(
        "/v1/certificates/import",
        NoRequest,
        CertificateList,
        "have certificates taken that other clients left, where a file asks for them",
        name="import_certificates",
    ),
    _order(
        "/v1/notify/test",
        NotifyTestRequest,
        NotifyTest,
        "send a test message by one notifier, or by all",
        name="test_notifier",
        answer=Answer.WHOLE,
    ),
    _order("/v1/reload", NoRequest, Reloaded, "read the settings anew", answer=Answer.WHOLE),
    _order(
        "/v1/webhook-test",
        WebhookTestRequest,
        WebhookTest,
        "send a webhook of a source's or a registry's kind to the listener",
        answer=Answer.WHOLE,
        name="test_webhook",
    ),
)
