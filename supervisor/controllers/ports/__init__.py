"""What the controllers need from outside. Adapters serve these; fakes serve them in tests.

Every method that can fail raises one of the two failures of `model.errors`, with a sentence
for people; anything else that escapes is a defect.
"""

from supervisor.controllers.ports.certificates import (
    Authority,
    CertificateFiles,
    ImportedCertificates,
    Issuer,
    TlsLook,
)
from supervisor.controllers.ports.ledger import AppliedState, Documents, Events, Ledger
from supervisor.controllers.ports.machine import Aside, Host, Prober
from supervisor.controllers.ports.messages import Messenger
from supervisor.controllers.ports.podman import Podman
from supervisor.controllers.ports.registry import Registry
from supervisor.controllers.ports.secrets import Decryptor, Secrets
from supervisor.controllers.ports.sources import (
    FolderWatch,
    GitHost,
    Listener,
    PullRequests,
    SourceReader,
    SourceWriter,
    Tokens,
)
from supervisor.controllers.ports.units import Folder, Generator, Systemd
from supervisor.controllers.ports.volumes import VolumeArchive

__all__ = (
    "AppliedState",
    "Aside",
    "Authority",
    "CertificateFiles",
    "Decryptor",
    "Documents",
    "Events",
    "Folder",
    "FolderWatch",
    "Generator",
    "GitHost",
    "Host",
    "ImportedCertificates",
    "Issuer",
    "Ledger",
    "Listener",
    "Messenger",
    "Podman",
    "Prober",
    "PullRequests",
    "Registry",
    "Secrets",
    "SourceReader",
    "SourceWriter",
    "Systemd",
    "TlsLook",
    "Tokens",
    "VolumeArchive",
)
