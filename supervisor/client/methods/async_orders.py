"""Orders of `AsyncClient`. Written by contrib/api-client from supervisor/api/endpoints.py."""

from collections.abc import Sequence

from supervisor.client.async_streams import AsyncProgress
from supervisor.client.methods.async_asking import AsyncAsking
from supervisor.client.typed import names
from supervisor.model.certificate_status import CertificateList, RenewRequest, RevokeRequest
from supervisor.model.image_status import ImageReply, PinRequest, UpdateRequest
from supervisor.model.notify import NotifyTest, NotifyTestRequest
from supervisor.model.secret import RotateRequest
from supervisor.model.status import (
    AppOrder,
    OrderRequest,
    Reloaded,
    ScaleRequest,
    Status,
    SyncReply,
    SyncRequest,
)
from supervisor.model.webhook import WebhookTest, WebhookTestRequest


class AsyncOrders(AsyncAsking):
    """A method for each; what is left out is as usual."""

    def sync(
        self, *, apps: Sequence[str] = (), prune_all: bool = False
    ) -> AsyncProgress[SyncReply]:
        """Read the sources now, and bring apps to what they say.

        POST /v1/sync

        - `prune_all`: Allow a pass that removes all apps of a source.
        """
        wish = SyncRequest(apps=names(apps), prune_all=prune_all)
        return self._told("POST", "/v1/sync", wish, SyncReply)

    async def suspend(
        self,
        *,
        apps: Sequence[str] = (),
        seconds: float = 0.0,
        reason: str = "",
        revision: str = "",
    ) -> Status:
        """Have apps left alone.

        POST /v1/suspend

        - `apps`: Empty for all.
        - `seconds`: Of a suspension; 0 is until resumed.
        - `revision`: Of a rollback, or the beginning of it; empty is the one before. Of a restore,
          that of the release or of its snapshot.
        """
        wish = OrderRequest(apps=names(apps), seconds=seconds, reason=reason, revision=revision)
        return await self._whole("POST", "/v1/suspend", wish, Status)

    def resume(
        self,
        *,
        apps: Sequence[str] = (),
        seconds: float = 0.0,
        reason: str = "",
        revision: str = "",
    ) -> AsyncProgress[SyncReply]:
        """Have apps go on that were suspended or held.

        POST /v1/resume

        - `apps`: Empty for all.
        - `seconds`: Of a suspension; 0 is until resumed.
        - `revision`: Of a rollback, or the beginning of it; empty is the one before. Of a restore,
          that of the release or of its snapshot.
        """
        wish = OrderRequest(apps=names(apps), seconds=seconds, reason=reason, revision=revision)
        return self._told("POST", "/v1/resume", wish, SyncReply)

    def rollback(
        self, apps: Sequence[str], *, seconds: float = 0.0, reason: str = "", revision: str = ""
    ) -> AsyncProgress[SyncReply]:
        """Bring an app back to an older release, and hold it there.

        POST /v1/rollback

        - `apps`: The one that it is for.
        - `seconds`: Of a suspension; 0 is until resumed.
        - `revision`: Of a rollback, or the beginning of it; empty is the one before. Of a restore,
          that of the release or of its snapshot.
        """
        wish = AppOrder(apps=names(apps), seconds=seconds, reason=reason, revision=revision)
        return self._told("POST", "/v1/rollback", wish, SyncReply)

    def restore(
        self, apps: Sequence[str], *, seconds: float = 0.0, reason: str = "", revision: str = ""
    ) -> AsyncProgress[SyncReply]:
        """As a rollback, with what its volumes held then.

        POST /v1/restore

        - `apps`: The one that it is for.
        - `seconds`: Of a suspension; 0 is until resumed.
        - `revision`: Of a rollback, or the beginning of it; empty is the one before. Of a restore,
          that of the release or of its snapshot.
        """
        wish = AppOrder(apps=names(apps), seconds=seconds, reason=reason, revision=revision)
        return self._told("POST", "/v1/restore", wish, SyncReply)

    def retry(
        self, apps: Sequence[str], *, seconds: float = 0.0, reason: str = "", revision: str = ""
    ) -> AsyncProgress[SyncReply]:
        """Try once more what failed in an app.

        POST /v1/retry

        - `apps`: The one that it is for.
        - `seconds`: Of a suspension; 0 is until resumed.
        - `revision`: Of a rollback, or the beginning of it; empty is the one before. Of a restore,
          that of the release or of its snapshot.
        """
        wish = AppOrder(apps=names(apps), seconds=seconds, reason=reason, revision=revision)
        return self._told("POST", "/v1/retry", wish, SyncReply)

    def scale(
        self, app: str, *, unit: str = "", replicas: int | None = None, reason: str = ""
    ) -> AsyncProgress[SyncReply]:
        """Have another number of replicas of a unit.

        POST /v1/scale

        - `unit`: As people name it (`web@.service`, `web`); may be empty where there is but one.
        - `replicas`: None is as the unit's file says.
        """
        wish = ScaleRequest(app=app, unit=unit, replicas=replicas, reason=reason)
        return self._told("POST", "/v1/scale", wish, SyncReply)

    def update(
        self, *, name: str = "", now: bool = False, dry_run: bool = False, reason: str = ""
    ) -> AsyncProgress[ImageReply]:
        """Ask for newer versions of images now, and run them.

        POST /v1/update

        - `name`: Of an app or an image; empty is all.
        - `now`: Let neither cooldown nor window keep it, nor that it is only to be shown or pulled,
          nor that its registry wants to be let alone.
        - `dry_run`: Ask, and say what would come of it.
        """
        wish = UpdateRequest(name=name, now=now, dry_run=dry_run, reason=reason)
        return self._told("POST", "/v1/update", wish, ImageReply)

    def pin(
        self, app: str, *, words: Sequence[str] = (), reason: str = ""
    ) -> AsyncProgress[ImageReply]:
        """Have images of an app stay at a version.

        POST /v1/pin

        - `words`: The image and the version; of one alone, whichever it fits. None is all images,
          as they run now; of `unpin`, it names the image.
        """
        wish = PinRequest(app=app, words=names(words), reason=reason)
        return self._told("POST", "/v1/pin", wish, ImageReply)

    def unpin(
        self, app: str, *, words: Sequence[str] = (), reason: str = ""
    ) -> AsyncProgress[ImageReply]:
        """Have images of an app follow newer versions again.

        POST /v1/unpin

        - `words`: The image and the version; of one alone, whichever it fits. None is all images,
          as they run now; of `unpin`, it names the image.
        """
        wish = PinRequest(app=app, words=names(words), reason=reason)
        return self._told("POST", "/v1/unpin", wish, ImageReply)

    async def rotate_secret(self, name: str) -> SyncReply:
        """Give a generated secret another value.

        POST /v1/secrets/rotate
        """
        wish = RotateRequest(name=name)
        return await self._whole("POST", "/v1/secrets/rotate", wish, SyncReply)

    def renew_certificate(self, name: str, *, now: bool = False) -> AsyncProgress[CertificateList]:
        """Have another certificate issued.

        POST /v1/certificates/renew

        - `now`: Also where it has failed, and is to wait for its next try.
        """
        wish = RenewRequest(name=name, now=now)
        return self._told("POST", "/v1/certificates/renew", wish, CertificateList)

    def revoke_certificate(self, name: str) -> AsyncProgress[CertificateList]:
        """Have a certificate declared void, and another one issued.

        POST /v1/certificates/revoke
        """
        wish = RevokeRequest(name=name)
        return self._told("POST", "/v1/certificates/revoke", wish, CertificateList)

    def import_certificates(self) -> AsyncProgress[CertificateList]:
        """Have certificates taken that other clients left, where a file asks for them.

        POST /v1/certificates/import
        """
        return self._told("POST", "/v1/certificates/import", None, CertificateList)

    async def test_notifier(self, *, name: str | None = None) -> NotifyTest:
        """Send a test message by one notifier, or by all.

        POST /v1/notify/test

        - `name`: None is all of them.
        """
        wish = NotifyTestRequest(name=name)
        return await self._whole("POST", "/v1/notify/test", wish, NotifyTest)

    async def reload(self) -> Reloaded:
        """Read the settings anew.

        POST /v1/reload
        """
        return await self._whole("POST", "/v1/reload", None, Reloaded)

    async def test_webhook(self, target: str) -> WebhookTest:
        """Send a webhook of a source's or a registry's kind to the listener.

        POST /v1/webhook-test
        """
        wish = WebhookTestRequest(target=target)
        return await self._whole("POST", "/v1/webhook-test", wish, WebhookTest)
