"""Podvisor's own authority, the issuer `internal`. The `Authority` port.

What signs is a process that ends (`authority_process`): the library for it is not the daemon's.
"""

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from supervisor.adapters.certificates.questions import ROOT, Asked, GivenAuthority, Signed
from supervisor.kit.files import told
from supervisor.kit.threads import in_thread
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.errors import NotAllowed, Retry, Stalled
from supervisor.model.setting_types import SecretRef

_PROCESS = "supervisor.adapters.certificates.authority_process"
_SECONDS = 180.0
"""A small machine takes its time for a key of 4096 bits."""
_KEY = "“internal_key” in [certificates] of the settings"
_PEM_HINT = "put key and certificate there in PEM, or name a file by `internal_certificate`"
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class InternalAuthority:
    """One that has its key in a folder of podvisor's own, or where the settings say."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Callable[[], CertificateSettings],
        read: Callable[[SecretRef], Awaitable[bytes]],
    ) -> None:
        """Settings are asked for each time. `read` reads a secret, and raises Retry or Stalled."""
        self._folder = folder
        self._settings = settings
        self._read = read
        self._one_at_a_time = anyio.Lock()

    async def issue(self, terms: CertificateTerms, *, key: str = "") -> Pair:
        """Have one made; the authority is made too if there is none yet."""
        signed = await self._ask(await self._asked(terms, key=key))
        if signed.pair is None:
            raise Retry("podvisor's own authority gave no answer")
        return signed.pair

    async def may_sign(self, terms: CertificateTerms) -> None:
        """See whether it would sign one; nothing is made."""
        await self._ask(await self._asked(terms, is_rehearsal=True))

    async def _asked(
        self, terms: CertificateTerms, *, key: str = "", is_rehearsal: bool = False
    ) -> Asked:
        return Asked(
            folder=str(self._folder),
            host=socket.gethostname(),
            terms=terms,
            key=key,
            given=await self._given(),
            is_rehearsal=is_rehearsal,
        )

    async def _given(self) -> GivenAuthority | None:
        """Return the authority of the settings; None if there is none. Raises Retry or Stalled."""
        settings = self._settings()
        if not settings.internal_key:
            return None
        try:
            key = (await self._read(settings.internal_key)).decode()
        except UnicodeDecodeError as error:
            raise Stalled(f"cannot use {_KEY}: it is no PEM", hint=_PEM_HINT) from error
        if not settings.internal_certificate:
            return GivenAuthority(key=key, path=key)
        path = Path(os.path.expanduser(settings.internal_certificate))  # noqa: ASYNC240, PTH111
        try:
            return GivenAuthority(key=key, path=await in_thread(path.read_text))
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no PEM"
            message = f"cannot read {path}, “internal_certificate” in [certificates]: {why}"
            raise Stalled(message, hint="put the PEM file there") from error

    async def _ask(self, asked: Asked) -> Signed:
        from supervisor.kit.helper import HelperError, ask  # noqa: PLC0415

        try:
            async with self._one_at_a_time:
                signed = await ask(_PROCESS, asked, Signed, timeout_seconds=_SECONDS)
        except HelperError as error:
            raise Retry(f"podvisor's own authority gave no answer: {error}") from error
        if signed.not_allowed:
            raise NotAllowed(signed.problem, hint=signed.hint)
        if signed.hint:
            raise Stalled(signed.problem, hint=signed.hint)
        if signed.problem:
            raise Retry(signed.problem)
        return signed

    async def root(self) -> str:
        """Return the certificate to trust in PEM. Raises Retry or Stalled if there is none yet."""
        if given := await self._given():
            start = given.path.rfind(_BEGIN)
            if start < 0:
                raise Stalled("no certificate stands beside the authority's key", hint=_PEM_HINT)
            return given.path[start : given.path.find(_END, start) + len(_END)] + "\n"
        with told(f"read podvisor's own authority in {self._folder}"):
            try:
                return await in_thread((self._folder / ROOT).read_text)
            except FileNotFoundError as error:
                raise Stalled(
                    "there is no authority of podvisor's own yet",
                    hint="it is made with the first certificate that has Issuer=internal",
                ) from error
