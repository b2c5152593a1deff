"""Puts TXT records into a zone, and takes them away, by updates (RFC 2136) with TSIG (RFC 8945)."""

import binascii
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import msgspec

from supervisor.adapters.acme.dns_error import DnsError, FailureKind
from supervisor.adapters.acme.dns_servers import addresses_of, ask_udp, host_and_port, plain
from supervisor.kit.texts import meant
from supervisor.model.acme import ZoneAccess

TTL_SECONDS = 60
_TCP_SECONDS, _UDP_SECONDS = 10.0, 3.0
_ALGORITHMS = (
    *("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1"),
    *("hmac-sha256-128", "hmac-sha384-192", "hmac-sha512-256", "hmac-md5.sig-alg.reg.int"),
)
_SHORT_MD5 = "hmac-md5"
_FORBIDDEN = {
    dns.rcode.REFUSED: "it refuses updates by this key",
    dns.rcode.NOTAUTH: "it does not hold this zone, or knows no such key",
    dns.rcode.NOTZONE: "the name is not in the zone that it holds",
    dns.rcode.NOTIMP: "it takes no updates",
}


class Updates(msgspec.Struct, frozen=True, kw_only=True):
    """A zone whose server takes updates. Its methods raise DnsError."""

    access: ZoneAccess

    def put(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None:
        """Add records beside those that are there."""
        self._update(name, values, zone=zone, take=False)

    def take(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None:
        """Remove these, and no others."""
        self._update(name, values, zone=zone, take=True)

    def _update(
        self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name, take: bool
    ) -> None:
        message = dns.update.UpdateMessage(zone)
        for value in values:
            if take:
                message.delete(name, "TXT", f'"{value}"')
            else:
                message.add(name, TTL_SECONDS, "TXT", f'"{value}"')
        if key := _key(self.access):
            message.use_tsig(key)
        code = self._send(message).rcode()
        if code == dns.rcode.NOERROR:
            return
        what = f"cannot change {plain(zone)} at {self.access.server}"
        if why := _FORBIDDEN.get(code, ""):
            raise DnsError(
                f"{what}: {why} ({dns.rcode.to_text(code)})",
                f"have it allow {self._whoever} to change TXT records of {plain(name)}",
                FailureKind.REFUSED,
            )
        raise DnsError(f"{what}: it answers {dns.rcode.to_text(code)}", "see the server's log")

    @property
    def _whoever(self) -> str:
        return f"the key {self.access.key_name}" if self.access.key_name else "this machine"

    def _send(self, message: dns.update.UpdateMessage) -> dns.message.Message:
        """Send it over TCP, or where that is closed over UDP, to the first address that answers."""
        server = self.access.server
        troubles = []
        try:
            host, port = host_and_port(server)
            addresses = addresses_of(host)
        except (OSError, ValueError) as error:
            raise DnsError(
                f"cannot reach the DNS server {server}: {error}",
                f"set `server` of {_table(self.access)} to its HOST or HOST:PORT",
            ) from error
        for address in addresses:
            for send, seconds in ((dns.query.tcp, _TCP_SECONDS), (ask_udp, _UDP_SECONDS)):
                try:
                    return send(message, address, seconds, port)
                except dns.tsig.PeerBadTime as error:
                    raise DnsError(
                        f"cannot change a zone at {server}: its clock and this machine's differ",
                        "set both clocks: five minutes apart is too much for TSIG",
                    ) from error
                except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadKey) as error:
                    raise self._bad_key(_why_bad(error)) from error
                except dns.exception.Timeout:
                    troubles.append("no answer")
                except OSError as error:
                    troubles.append(error.strerror or str(error))
                except (dns.exception.DNSException, EOFError) as error:
                    if self.access.key_name and "TSIG" in str(error):
                        why = "it knows no such key, or does not let it change this name"
                        raise self._bad_key(f"{why} (no signature)") from error
                    troubles.append(str(error) or type(error).__name__)
        raise DnsError(
            f"cannot reach the DNS server {server}: {troubles[0]}",
            f"see whether it runs, and `server` of {_table(self.access)} is right",
        )

    def _bad_key(self, why: str) -> DnsError:
        access = self.access
        return DnsError(
            f"cannot change a zone at {access.server}: TSIG with the key {access.key_name} "
            f"({access.key_algorithm}) is refused: {why}",
            f"set `key_name`, `key_algorithm` and `secret` of {_table(access)} to what the server "
            "has",
            FailureKind.REFUSED,
        )


def _why_bad(error: Exception) -> str:
    match error:
        case dns.tsig.PeerBadKey():
            return "it knows no such key (BADKEY)"
        case dns.tsig.PeerBadSignature():
            return "it has another secret for it (BADSIG)"
        case dns.tsig.PeerBadTruncation():
            return "it wants longer signatures (BADTRUNC)"
        case _:
            return "its answer is signed by another one"


def _key(access: ZoneAccess) -> dns.tsig.Key | None:
    if not access.key_name:
        return None
    algorithm = access.key_algorithm.lower().rstrip(".")
    if algorithm == _SHORT_MD5:
        algorithm = _ALGORITHMS[-1]
    if algorithm not in _ALGORITHMS:
        raise DnsError(
            f"cannot sign updates of {access.zone} by “{access.key_algorithm}”: no TSIG algorithm "
            "has this name",
            meant(algorithm, _ALGORITHMS, f"use one of {', '.join(_ALGORITHMS)}"),
            FailureKind.REFUSED,
        )
    try:
        secret = binascii.a2b_base64("".join(access.secret.split()).encode(), strict_mode=True)
        name = dns.name.from_text(access.key_name)
    except (ValueError, dns.exception.DNSException) as error:
        raise DnsError(
            f"cannot sign updates of {access.zone}: the secret is not in base64, or the key has no "
            "possible name",
            "write what stands behind `secret` in the server's settings of the key, without quotes",
            FailureKind.REFUSED,
        ) from error
    return dns.tsig.Key(name, secret, algorithm)


def _table(access: ZoneAccess) -> str:
    return f'[certificates.zones."{access.zone}"]'
