"""Apps' secrets: what they are made of, making them, and another value for a generated one.

`controllers.apps.observer` asks for the marks, the executor has secrets made, people ask the
service. A clear text goes from the decryptor to Podman within `put`; what it takes the place of, to
`LastWords`.
"""

import posixpath
from collections.abc import Iterable, Sequence

import anyio
import msgspec

from supervisor.controllers.apps.last_words import LastWords
from supervisor.controllers.ports import Decryptor, Documents, Podman, SourceReader
from supervisor.core.status.secret_status import report
from supervisor.model.app import Deployment
from supervisor.model.errors import Stalled
from supervisor.model.plan import PutSecrets
from supervisor.model.secret import (
    APP_LABEL,
    CONTENT_LABEL,
    MADE_OF_LABEL,
    REMOVAL_LABEL,
    DesiredSecret,
    SecretKind,
    SecretPut,
    SecretsMade,
    SecretStatus,
)

_AT_ONCE = 2
"""Apps whose secrets are opened at the same time: each takes a process."""


class SecretController(msgspec.Struct, kw_only=True):
    """One for the daemon."""

    decryptor: Decryptor
    podman: Podman
    reader: SourceReader
    ledger: Documents
    words: LastWords
    _at_work: anyio.Semaphore = msgspec.field(default_factory=lambda: anyio.Semaphore(_AT_ONCE))
    rotating: set[str] = set()
    """Generated secrets for which a person asked for another value."""

    @property
    def has_made_some(self) -> bool:
        """Whether there may be secrets in Podman that are podvisor's."""
        return self.ledger.get(SecretsMade) is not None

    def made_of(self, deployments: Iterable[Deployment]) -> dict[DesiredSecret, str]:
        """Mark what each secret of these apps is to be made of. Nothing is decrypted."""
        return {
            secret: self.decryptor.made_of(secret)
            for one in deployments
            for app in one.apps
            for secret in app.secrets
        }

    async def put(self, step: PutSecrets) -> None:
        """Make the secrets of a step: none, unless the clear text of all could be had."""
        async with self._at_work:
            await self._put(step)

    async def _put(self, step: PutSecrets) -> None:
        oids = {put.secret.oid: None for put in step.puts if put.secret.oid}
        sealed = await self.reader.read(step.source, tuple(oids)) if oids else {}
        known = {put: await self._value_that_stays(put) for put in step.puts}
        new = [put for put in step.puts if known[put] is None]
        opened = await self.decryptor.open(
            step.root, [(put.secret, sealed.get(put.secret.oid, b"")) for put in new]
        )
        clear = known | dict(zip(new, opened, strict=True))
        self.ledger.put(SecretsMade())
        for put in step.puts:
            secret, content = put.secret, clear[put] or b""
            await self.words.overtake(secret.name)
            await self.podman.put_secret(
                secret.name,
                content,
                labels={
                    APP_LABEL: step.app,
                    MADE_OF_LABEL: self.decryptor.made_of(secret),
                    CONTENT_LABEL: self.decryptor.mark(b"content", content),
                    REMOVAL_LABEL: "never" if secret.stays else "with its file",
                },
            )
            if put.anew:
                self.rotating.discard(secret.name)

    async def remove(self, name: str) -> None:
        """Remove a secret; what it held is kept in mind for what still runs with it."""
        await self.words.overtake(name)
        await self.podman.remove_secret(name)

    async def _value_that_stays(self, put: SecretPut) -> bytes | None:
        """Return the value of a generated secret that is there and is to be kept."""
        if put.secret.kind is not SecretKind.GENERATE or put.anew:
            return None
        return await self.podman.secret(put.secret.name)

    async def look(self, deployments: Sequence[Deployment]) -> tuple[SecretStatus, ...]:
        """How all secrets stand that these apps describe or use, and what is left of others."""
        inventory = await self.podman.inventory(secrets=True)
        return report(deployments, inventory, self.made_of(deployments))

    def rotate(self, name: str, deployments: Iterable[Deployment]) -> str:
        """Have a generated secret made anew by the next pass of its app, which is returned.

        Raises Stalled for any other secret; the hint says what to do instead.
        """
        apps = [app for one in deployments if (app := one.wanted)]
        found = ((app, one) for app in apps for one in app.secrets if one.name == name)
        app, secret = next(found, (None, None))
        held = (one for app in apps for one in app.certificates if name in one.podman_secrets)
        if secret is None and (certificate := next(held, None)):
            hint = f"podvisor certs renew {certificate.name} has another one issued"
            raise Stalled(f"cannot rotate {name}: it holds a certificate", hint=hint)
        if app is None or secret is None:
            hint = "podvisor secret list shows them"
            raise Stalled(f"cannot rotate {name}: no app describes such a secret", hint=hint)
        if secret.kind is SecretKind.GENERATE:
            self.rotating.add(name)
            return app.name
        file = posixpath.join(app.root, secret.place)
        hint = {
            SecretKind.AGE: f"podvisor secret edit {file}, then commit and push",
            SecretKind.SOPS: f"sops {file}, then commit and push",
        }.get(secret.kind, "change the credential, then: systemctl --user restart podvisor")
        raise Stalled(f"cannot rotate {name}: its value is that of {secret.source}", hint=hint)
