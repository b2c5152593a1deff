"""Look which certificate a server serves. The `TlsLook` port.

Whether it is a good one is not asked: only whether it is the one that was installed.
"""

import errno
import hashlib
import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from supervisor.model.errors import Retry

if TYPE_CHECKING:
    import ssl

_PORT = 443
_UNKNOWN_NAME = "UNRECOGNIZED_NAME"
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE")


class TlsClient:
    """Opens connections from the user's own session, where containers publish their ports."""

    def __init__(self, *, seconds: float = 5.0) -> None:
        """`seconds` are waited for an answer."""
        self._seconds = seconds

    async def served(self, url: str, name: str) -> str:
        """Return the fingerprint of what `https://HOST:PORT` serves for a name. Raises Retry."""
        import ssl  # noqa: PLC0415  # what it costs is for those who look

        try:
            with anyio.fail_after(self._seconds):
                return hashlib.sha256(await _certificate(url, name)).hexdigest()
        except TimeoutError:
            why = f"no answer within {self._seconds:g} s"
        except ssl.SSLError as error:
            why = _refusal(error, name)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            why = "it closed the connection"
        except OSError as error:
            why = _why(error)
        except ValueError as error:
            why = f"no such name can be asked for: {error}"
        raise Retry(f"cannot look at what {url} serves: {why}")


async def _certificate(url: str, name: str) -> bytes:
    import ssl  # noqa: PLC0415

    from anyio.streams.tls import TLSAttribute, TLSStream  # noqa: PLC0415

    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with await anyio.connect_tcp(parts.hostname or "", parts.port or _PORT) as stream:
        try:
            secured = await TLSStream.wrap(
                stream,
                # A server has no name with a star.
                hostname=name.replace("*.", "any.", 1),
                ssl_context=context,
                standard_compatible=False,
            )
        except anyio.BrokenResourceError as error:
            raise error.__cause__ or error from error
        certificate = secured.extra(TLSAttribute.peer_certificate_binary)  # noqa: S610  # it is no database
    if certificate is None:
        raise ssl.SSLError(1, "it showed no certificate")
    return certificate


def _refusal(error: "ssl.SSLError", name: str) -> str:
    reason = error.reason or error.strerror or str(error)
    if "EOF" in reason or error.errno == errno.EPIPE:
        return "it closed the connection"
    if any(word in reason for word in _NO_TLS):
        return "it does not speak TLS"
    if _UNKNOWN_NAME in reason:
        return f"it does not know {name}"
    return f"it refused: {reason.lower().replace('_', ' ')}"


def _why(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):  # one for each of the host's addresses
        cause = cause.exceptions[-1]
    if isinstance(cause, OSError):
        return _why(cause)
    if isinstance(error, ConnectionResetError):
        return "it closed the connection"
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
