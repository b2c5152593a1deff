"""Puts TXT records into a zone, and takes them away, by a provider of dns-lexicon.

Loads it when it is needed: it need not be installed. Its providers ask over HTTP without a limit of
time, so they do that in a thread of their own, which is left behind where they never end; and they
may print, which must not get into what this process answers.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import dns.name
import dns.resolver
import msgspec

from supervisor.adapters.acme.dns_error import DnsError, FailureKind
from supervisor.adapters.acme.dns_servers import plain
from supervisor.kit.texts import meant, one_line, rough_duration
from supervisor.model.acme import ZoneAccess

if TYPE_CHECKING:
    from lexicon.client import Client

_WORDS = 300
_SHORTEST_SECRET = 4
_DENIED = (401, 403)
INSTALL = "install it beside podvisor: pipx inject podvisor dns-lexicon"


class _Operations(Protocol):
    """What can be done at a provider."""

    def create_record(self, rtype: str, name: str, content: str) -> bool: ...

    def delete_record(
        self, identifier: str | None, rtype: str | None, name: str | None, content: str | None
    ) -> bool: ...


class Lexicon(msgspec.Struct, frozen=True, kw_only=True):
    """A zone at a provider. Its methods raise DnsError."""

    access: ZoneAccess
    resolver: dns.resolver.Resolver
    timeout_seconds: float
    """For all that is asked of the provider at once."""

    def put(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None:
        """Add records beside those that are there."""

        def work(operations: _Operations) -> None:
            for value in values:
                if operations.create_record("TXT", plain(name), value) is False:
                    raise DnsError(self._cannot(zone, "it did not add the record"))

        self._do(work, zone)

    def take(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None:
        """Remove these, and no others."""

        def work(operations: _Operations) -> None:
            for value in values:
                operations.delete_record(None, "TXT", plain(name), value)

        self._do(work, zone)

    def _do(self, work: Callable[[_Operations], None], zone: dns.name.Name) -> None:
        failures: list[Exception] = []

        def there() -> None:
            try:
                with self._client(zone) as operations:
                    work(operations)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever 90 providers raise
                failures.append(self._failure(error, zone))

        thread = threading.Thread(target=there, daemon=True)
        with contextlib.redirect_stdout(sys.stderr):
            thread.start()
            thread.join(self.timeout_seconds)
        if thread.is_alive():
            took = rough_duration(self.timeout_seconds)
            raise DnsError(self._cannot(zone, f"it did not answer within {took}"))
        if failures:
            raise failures[0]

    def _client(self, zone: dns.name.Name) -> "Client":
        try:
            from lexicon.client import Client  # noqa: PLC0415
            from lexicon.config import ConfigResolver  # noqa: PLC0415
        except ImportError as error:
            raise DnsError(
                f"cannot change {plain(zone)}: “{self.access.provider}” is a provider of "
                "dns-lexicon, which is not installed",
                INSTALL,
                FailureKind.REFUSED,
            ) from error
        # With `resolve_zone_name` it asks DNS which zone this is, and fetches no list of suffixes.
        dns.resolver.default_resolver = self.resolver
        options = _options(self.access)
        settings: dict[str, object] = {"provider_name": self.access.provider}
        settings |= {"domain": plain(zone), "resolve_zone_name": "1"}
        settings |= {self.access.provider: options}
        settings |= {"ttl": options["ttl"]} if "ttl" in options else {}
        config = ConfigResolver()  # type: ignore[no-untyped-call]
        return Client(config.with_dict(settings))

    def _cannot(self, zone: dns.name.Name, why: str) -> str:
        return f"cannot change {plain(zone)} at {self.access.provider}: {why}"

    def _failure(self, error: BaseException, zone: dns.name.Name) -> DnsError:
        """Say it in plain words, without any secret that it may name."""
        if isinstance(error, DnsError):
            return error
        from lexicon.exceptions import AuthenticationError, ProviderNotAvailableError  # noqa: PLC0415

        said = one_line(f"{error}", _WORDS)
        for value in sorted(_options(self.access).values(), key=len, reverse=True):
            if len(value) >= _SHORTEST_SECRET:
                said = said.replace(value, "…")
        table = f'`secret` of [certificates.zones."{self.access.zone}"]'
        if isinstance(error, ProviderNotAvailableError):
            return self._unavailable(zone, said)
        answer = getattr(error, "response", None)
        if isinstance(error, AuthenticationError) or getattr(answer, "status_code", 0) in _DENIED:
            return DnsError(
                self._cannot(zone, f"it does not accept the credentials: {said}"),
                f"set {table} to lines of OPTION=VALUE that it accepts",
                FailureKind.REFUSED,
            )
        why = f"{type(error).__name__}: {said}" if said else type(error).__name__
        return DnsError(
            self._cannot(zone, why),
            f"see whether {table} has all the options of this provider: "
            f"lexicon {self.access.provider} --help",
        )

    def _unavailable(self, zone: dns.name.Name, said: str) -> DnsError:
        provider = self.access.provider
        if "extra" in said:
            return DnsError(
                self._cannot(zone, "this provider needs more than dns-lexicon itself"),
                f"install it beside podvisor: pipx inject podvisor 'dns-lexicon[{provider}]'",
                FailureKind.REFUSED,
            )
        return DnsError(
            f"cannot change {plain(zone)}: dns-lexicon has no provider “{provider}”",
            meant(provider, ("rfc2136", "hook"), "its providers are listed by: lexicon --help"),
            FailureKind.REFUSED,
        )


def _options(access: ZoneAccess) -> dict[str, str]:
    """Read lines of OPTION=VALUE, with the options as lexicon's command line or code writes them.

    Raises DnsError.
    """
    options: dict[str, str] = {}
    for number, line in enumerate(access.secret.splitlines(), 1):
        if not (text := line.strip()) or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        name = name.strip().removeprefix("--")
        if not equals or not name:
            raise DnsError(
                f"cannot read the options of {access.provider} for {access.zone}: line {number} "
                "of the secret is not OPTION=VALUE",
                "write a line for each: auth_token=…",
                FailureKind.REFUSED,
            )
        # Some providers read their options in the one form, some in the other.
        options |= dict.fromkeys((name, name.replace("-", "_")), value.strip())
    return options
