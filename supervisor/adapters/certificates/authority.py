"""Podvisor's own authority, the issuer `internal`. The `Authority` port.

What signs is a process that ends (`authority_process`): the library for it is not the daemon's.
"""

import socket
from pathlib import Path

import anyio

from supervisor.adapters.certificates.questions import ROOT, Asked, Signed
from supervisor.kit.files import told
from supervisor.kit.threads import in_thread
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateTerms
from supervisor.model.errors import NotAllowed, Retry, Stalled

_PROCESS = "supervisor.adapters.certificates.authority_process"
_SECONDS = 180.0
"""A small machine takes its time for a key of 4096 bits."""


class InternalAuthority:
    """One that has its key in a folder of podvisor's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one_at_a_time = anyio.Lock()

    async def issue(self, terms: CertificateTerms, *, key: str = "") -> Pair:
        """Have one made; the authority is made too if there is none yet."""
        signed = await self._ask(self._asked(terms, key=key))
        if signed.pair is None:
            raise Retry("podvisor's own authority gave no answer")
        return signed.pair

    async def may_sign(self, terms: CertificateTerms) -> None:
        """See whether it would sign one; nothing is made."""
        await self._ask(self._asked(terms, is_rehearsal=True))

    def _asked(
        self, terms: CertificateTerms, *, key: str = "", is_rehearsal: bool = False
    ) -> Asked:
        return Asked(
            folder=str(self._folder),
            host=socket.gethostname(),
            terms=terms,
            key=key,
            is_rehearsal=is_rehearsal,
        )

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
        """Return the authority's own certificate in PEM. Raises Stalled if there is none yet."""
        with told(f"read podvisor's own authority in {self._folder}"):
            try:
                return await in_thread((self._folder / ROOT).read_text)
            except FileNotFoundError as error:
                raise Stalled(
                    "there is no authority of podvisor's own yet",
                    hint="it is made with the first certificate that has Issuer=internal",
                ) from error
