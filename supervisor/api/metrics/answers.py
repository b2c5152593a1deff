"""The questions that metrics are made of the answers to."""

from collections.abc import Mapping

import msgspec

from supervisor.model.certificate_status import CertificateList
from supervisor.model.counters import Counters
from supervisor.model.image_status import ImageList
from supervisor.model.status import Status

QUESTIONS = ("/v1/status", "/v1/images", "/v1/certificates", "/v1/counters")


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics are made of."""

    status: Status
    images: ImageList
    certificates: CertificateList
    counters: Counters

    @classmethod
    def read(cls, bodies: Mapping[str, bytes]) -> "Answers":
        """Read them as the daemon gave them, by the path of each of `QUESTIONS`."""
        status, images, certificates, counters = (bodies[path] for path in QUESTIONS)
        return cls(
            status=msgspec.json.decode(status, type=Status),
            images=msgspec.json.decode(images, type=ImageList),
            certificates=msgspec.json.decode(certificates, type=CertificateList),
            counters=msgspec.json.decode(counters, type=Counters),
        )
