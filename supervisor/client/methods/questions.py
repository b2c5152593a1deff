"""Questions of `Client`. Written by contrib/api-client from supervisor/api/endpoints.py."""

from collections.abc import Sequence

from supervisor.client.methods.asking import Asking
from supervisor.client.streams import Stream
from supervisor.client.typed import names
from supervisor.model.certificate_status import CertificateList
from supervisor.model.comparison import CompareQuery, Comparison
from supervisor.model.counters import Metrics
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.events import Event, EventQuery
from supervisor.model.image_status import ImageList, SignatureList
from supervisor.model.log import LogQuery, UnitLog
from supervisor.model.machine import Machine
from supervisor.model.notify import NotifierList
from supervisor.model.plan import Plan, PlanRequest
from supervisor.model.rehearsal import RehearsalReport, RehearsalRequest
from supervisor.model.secret import SecretList
from supervisor.model.status import AppQuery, History, HistoryQuery, Status
from supervisor.model.why import Why, WhyQuery


class Questions(Asking):
    """A method for each; what is left out is as usual."""

    def status(self, *, app: str | None = None) -> Status:
        """Return how everything, or one app, stands.

        GET /v1/status

        - `app`: None is all of them.
        """
        wish = AppQuery(app=app)
        return self._whole("GET", "/v1/status", wish, Status)

    def history(self, app: str) -> History:
        """Return the releases of an app that were tried here.

        GET /v1/history
        """
        wish = HistoryQuery(app=app)
        return self._whole("GET", "/v1/history", wish, History)

    def compare(self, app: str, old: str, new: str) -> Comparison:
        """Return what two releases of an app differ in.

        GET /v1/compare
        """
        wish = CompareQuery(app=app, old=old, new=new)
        return self._whole("GET", "/v1/compare", wish, Comparison)

    def events(
        self,
        *,
        after_id: int | None = None,
        before_id: int | None = None,
        since: float = 0.0,
        until: float | None = None,
        app: str | None = None,
        unit: str | None = None,
        code: str | None = None,
        failed: bool = False,
        limit: int = 0,
        follow: bool = False,
    ) -> Stream[Event]:
        """Yield entries of the event log.

        GET /v1/events

        - `after_id`: Only those after this one; all, if the log is not that far (it was lost or put
          back).
        - `before_id`: Only those before this one.
        - `since`: Only those since this moment, in seconds since 1970.
        - `until`: Only those before this moment, in seconds since 1970.
        - `failed`: Only those of something that failed, or that are bad news otherwise.
        - `limit`: So many at most: the first ones after `after_id`, or else the newest; 0 is all.
        - `follow`: And those to come; of those that there are, `limit` keeps the newest.
        """
        wish = EventQuery(
            after_id=after_id,
            before_id=before_id,
            since=since,
            until=until,
            app=app,
            unit=unit,
            code=code,
            failed=failed,
            limit=limit,
            follow=follow,
        )
        return self._stream("GET", "/v1/events", wish, Event)

    def why(self, name: str) -> Why:
        """Return why an app or a unit is as it is: the chain of causes.

        GET /v1/why

        - `name`: An app, a unit of one (`.service` may be left out), or both: `shop/web.service`.
        """
        wish = WhyQuery(name=name)
        return self._whole("GET", "/v1/why", wish, Why)

    def images(self, *, app: str | None = None) -> ImageList:
        """Return how the images of all apps, or of one, stand.

        GET /v1/images

        - `app`: None is all of them.
        """
        wish = AppQuery(app=app)
        return self._whole("GET", "/v1/images", wish, ImageList)

    def signatures(self) -> SignatureList:
        """Return which images somebody has to have signed.

        GET /v1/signatures
        """
        return self._whole("GET", "/v1/signatures", None, SignatureList)

    def secrets(self) -> SecretList:
        """Return how all secrets stand; never what is in them.

        GET /v1/secrets
        """
        return self._whole("GET", "/v1/secrets", None, SecretList)

    def certificates(self) -> CertificateList:
        """Return how all certificates stand.

        GET /v1/certificates
        """
        return self._whole("GET", "/v1/certificates", None, CertificateList)

    def notifiers(self) -> NotifierList:
        """Return what each notifier told, and what waits.

        GET /v1/notify
        """
        return self._whole("GET", "/v1/notify", None, NotifierList)

    def metrics(self) -> Metrics:
        """Return what metrics are made of; it costs little.

        GET /v1/metrics
        """
        return self._whole("GET", "/v1/metrics", None, Metrics)

    def logs(self, unit: str, *, limit: int = 50) -> UnitLog:
        """Return what a unit's programs wrote last.

        GET /v1/logs

        - `unit`: Of an app, with its type.
        - `limit`: The newest so many entries of the journal.
        """
        wish = LogQuery(unit=unit, limit=limit)
        return self._whole("GET", "/v1/logs", wish, UnitLog)

    def machine(self, *, app: str | None = None) -> Machine:
        """Return what podvisor and its apps take of the machine.

        GET /v1/machine

        - `app`: None is all of them.
        """
        wish = AppQuery(app=app)
        return self._whole("GET", "/v1/machine", wish, Machine)

    def plan(self, *, apps: Sequence[str] = (), prune_all: bool = False) -> Plan:
        """Return what would be done now; nothing is done.

        POST /v1/plan

        - `prune_all`: As if a pass were allowed that removes all apps of a source.
        """
        wish = PlanRequest(apps=names(apps), prune_all=prune_all)
        return self._whole("POST", "/v1/plan", wish, Plan)

    def diff(self, *, apps: Sequence[str] = (), units: bool = False) -> Diff:
        """Return what is installed beside what the sources hold; nothing is done.

        POST /v1/diff
        """
        wish = DiffRequest(apps=names(apps), units=units)
        return self._whole("POST", "/v1/diff", wish, Diff)

    def test_certificate(self, name: str, *, issuer: str = "") -> RehearsalReport:
        """Return what an order for a certificate would come to, tried where it costs nothing.

        POST /v1/certificates/test

        - `issuer`: At which it is tried, instead of the one that belongs to the certificate's own.
        """
        wish = RehearsalRequest(name=name, issuer=issuer)
        return self._whole("POST", "/v1/certificates/test", wish, RehearsalReport)
