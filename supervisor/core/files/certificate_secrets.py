"""`Secret=` of a `.certificate` file: what Podman secrets that hold the certificate are called.

Called by `core.files.certificate_files`.
"""

import re
from collections.abc import Iterator, Sequence

from supervisor.core.files.unitfile import Refused
from supervisor.kit.texts import one_line
from supervisor.model.certificate import DesiredCertificate
from supervisor.model.certificate_secret import SECRET_ENDINGS
from supervisor.model.secret import DesiredSecret

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


def secret_name(text: str) -> str:
    """Return what the secrets are called, without their endings. Raises Refused."""
    if "," in text:
        hint = f"write the name alone, Secret={one_line(text.partition(',')[0], 60)}"
        raise Refused("Secret= has options, which stand in the unit that uses it", hint)
    if not _NAME.fullmatch(text):
        hint = "use letters, digits, '.', '_' and '-', a letter or digit first"
        raise Refused(f"Secret={one_line(text, 60)} cannot name a secret", hint)
    for ending in filter(None, SECRET_ENDINGS):
        if text.endswith(ending):
            hint = f"write Secret={text.removesuffix(ending)}"
            raise Refused(f"Secret={text} makes {text}{ending}: endings are added to it", hint)
    return text


def clashes(
    one: DesiredCertificate, others: Sequence[DesiredCertificate | DesiredSecret]
) -> Iterator[tuple[str, int, str]]:
    """Yield secrets of a certificate that another file of its app makes, too.

    One for each line that names some, with that line, and the other file.
    """
    taken = {
        name: other.path
        for other in reversed(others)
        for name in ((other.name,) if isinstance(other, DesiredSecret) else other.podman_secrets)
    }
    told = set()
    for name, line in one.podman_secrets.items():
        if name in taken and line not in told:
            told.add(line)
            yield name, line, taken[name]
