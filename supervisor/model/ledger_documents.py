"""What the ledger keeps besides the event log: documents, each under its kind, a key and a part."""

from typing import TypeVar

import msgspec

from supervisor.model.certificate import CertificateRecord
from supervisor.model.commit_status import ReportedStatus
from supervisor.model.image import ImageKnowledge, ImageOrder, VerifiedImage
from supervisor.model.incident import Incident
from supervisor.model.ledger_loss import LedgerLoss
from supervisor.model.notify import Outbox
from supervisor.model.observed import (
    AppliedApp,
    JobRun,
    LoggedFailure,
    Manifest,
    PodmanObject,
    RepairState,
    UnitInputs,
)
from supervisor.model.pull_request import ProposedPull
from supervisor.model.rollout import Hold, Rollout, Scale, Suspension
from supervisor.model.secret import SecretsMade
from supervisor.model.status import WatchStatus
from supervisor.model.volumes import AppVolumes
from supervisor.model.webhook import WebhookMemory
from supervisor.model.writeback import PushedBranch, WrittenBack

Document = msgspec.Struct
D = TypeVar("D", bound=Document)

KINDS: dict[type[Document], str] = {
    AppliedApp: "applied",
    UnitInputs: "unit",
    Rollout: "rollout",
    Hold: "hold",
    Suspension: "suspension",
    JobRun: "jobs",
    Manifest: "manifest",
    RepairState: "repair",
    LoggedFailure: "failure",
    WebhookMemory: "webhook",
    ReportedStatus: "commit-status",
    WatchStatus: "watch",
    PodmanObject: "left-behind",
    SecretsMade: "secrets-made",
    ImageKnowledge: "image",
    ImageOrder: "image-order",
    VerifiedImage: "verified-image",
    Scale: "scale",
    WrittenBack: "written-back",
    PushedBranch: "pushed-branch",
    ProposedPull: "pull-request",
    AppVolumes: "volumes",
    CertificateRecord: "certificate",
    Incident: "incident",
    Outbox: "outbox",
    LedgerLoss: "loss",
}
"""Type to the name of the kind in the file.

The key is the name of an app, of a unit (`repair`, `failure`), of a source (`webhook`,
`commit-status`, `pushed-branch`, `pull-request`), of an image (`verified-image`), of a certificate,
of a notifier (`outbox`), of a file (`loss`), a question's (`image`), an incident's or an order's
own (`incident`, `image-order`, `scale`, `written-back`) or of whatever it is that there may be one
of; the part tells the units and rollouts of one app from each other.
"""
