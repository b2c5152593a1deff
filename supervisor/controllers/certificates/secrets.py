"""Podman secrets that hold certificates, too: looked at, made, and taken away.

What they hold comes from what is kept, and goes to Podman; only their names are remembered.
"""

from collections.abc import Awaitable, Callable

import msgspec
from msgspec.structs import replace

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.memory import CertificateMemory
from supervisor.controllers.ports import Podman
from supervisor.core.certificates.secret_texts import secret_texts
from supervisor.model.acme import Pair
from supervisor.model.certificate import CertificateRecord, DesiredCertificate, Issued
from supervisor.model.errors import Stalled
from supervisor.model.secret import (
    APP_LABEL,
    CERTIFICATE_LABEL,
    MADE_OF_LABEL,
    REMOVAL_LABEL,
    may_hold_certificate,
)


class CertificateSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """Asks Podman only where a certificate has secrets, or had some. All raise Retry or Stalled."""

    podman: Podman
    asked: AskedCertificates
    memory: CertificateMemory
    overtake: Callable[[str], Awaitable[None]]
    """Is told of a secret before it is replaced or removed, as of `LastWords`."""

    async def lacking(self, certificate: DesiredCertificate, current: Issued) -> tuple[str, ...]:
        """Return the secrets that do not hold it, and should."""
        app = self.memory.of(certificate.name).app
        return await secrets_without(self.podman, certificate, current, app=app)

    async def check(self, certificate: DesiredCertificate) -> None:
        """Raise Stalled if one is there that is somebody else's: then nothing is changed."""
        if not certificate.secrets:
            return
        inventory = await self.podman.inventory(secrets=True)
        for name in certificate.podman_secrets:
            owner = inventory.owned_secrets.get(name)
            if name in (inventory.secrets or ()) and not may_hold_certificate(owner):
                whose = f"generated for app {owner.app}" if owner else "not podvisor's"
                raise Stalled(
                    f"cannot make secret {name}: Podman has one that is {whose}",
                    hint=f"give Secret= of {certificate.path} another name, or, if it may be"
                    f" replaced: podman secret rm {name}",
                )

    async def put(self, certificate: DesiredCertificate, issued: Issued, pair: Pair) -> None:
        """Have all of them hold it; those that do already stay as they are."""
        lacking = set(await self.lacking(certificate, issued))
        if not lacking:
            return
        name, app = certificate.name, self.memory.of(certificate.name).app
        known = (*self.memory.of(name).secrets, *certificate.podman_secrets)
        self._remember(name, tuple(dict.fromkeys(known)))
        labels = {
            APP_LABEL: app,
            CERTIFICATE_LABEL: name,
            MADE_OF_LABEL: _made_of(issued, app),
            REMOVAL_LABEL: "with its file",
        }
        for one in certificate.secrets:
            for secret, text in secret_texts(one, pair).items():
                if secret in lacking:
                    await self.overtake(secret)
                    await self.podman.put_secret(secret, text, labels=labels)

    async def remove(self, name: str, *, but: DesiredCertificate | None = None) -> None:
        """Take away those of a certificate, but for those that it is to have, or somebody names."""
        stays = but.podman_secrets if but else {}
        former = [one for one in self.memory.of(name).secrets if one not in stays]
        unused = [one for one in former if not self.asked.naming(name, (one,))]
        if not unused:
            return
        owned = (await self.podman.inventory(secrets=True)).owned_secrets
        for secret in unused:
            if secret in owned and owned[secret].certificate == name:
                await self.overtake(secret)
                await self.podman.remove_secret(secret)
        known = self.memory.of(name).secrets
        self._remember(name, tuple(one for one in known if one not in unused))

    def _remember(self, name: str, secrets: tuple[str, ...]) -> None:
        def remembered(record: CertificateRecord) -> CertificateRecord:
            return replace(record, secrets=secrets)

        self.memory.change(name, remembered)


async def secrets_without(
    podman: Podman, certificate: DesiredCertificate, current: Issued, *, app: str
) -> tuple[str, ...]:
    """Return the secrets that do not hold it, as made for an app, and should. Raises Retry."""
    if not certificate.secrets:
        return ()
    owned = (await podman.inventory(secrets=True)).owned_secrets
    wanted = (certificate.name, _made_of(current, app))
    held = {name for name, one in owned.items() if (one.certificate, one.made_of) == wanted}
    return tuple(name for name in certificate.podman_secrets if name not in held)


def _made_of(issued: Issued, app: str) -> str:
    return f"{issued.facts.fingerprint} {app}"
