"""A small DNS server: one zone, updates with TSIG, by UDP and TCP, at addresses of the loopback.

Several of them stand side by side at one port, as the servers of a zone do.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes
import dns.rrset
import dns.tsig
import dns.update

KEY_NAME = "acme."
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
OTHER_SECRET = "YW5vdGhlciBzZWNyZXQ="
BADKEY, BADSIG, BADTIME, UNSIGNED = 17, 16, 18, -1


@dataclass
class Zone:
    """What servers of a zone have in common: `(name, type)` → texts."""

    name: str
    records: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def put(self, name: str, kind: str, *texts: str) -> None:
        self.records.setdefault((name.rstrip("."), kind), set()).update(texts)

    def owner_of(self, name: str) -> str:
        """Whose records a name has: its own, or those of a wildcard above it (RFC 4592)."""
        owners = {owner for (owner, _), values in self.records.items() if values}
        above = [name.split(".")[at:] for at in range(1, name.count(".") + 1)]
        wild = (".".join(("*", *labels)) for labels in above)
        return name if name in owners else next((one for one in wild if one in owners), name)

    def texts(self, name: str) -> set[str]:
        """Values of its TXT records, without their quotes."""
        return {text.strip('"') for text in self.records.get((name, "TXT"), ())}


@dataclass
class Server:
    """One server, at one address; how it fails is changed while it runs."""

    zones: list[Zone]
    lags: int = 0
    """For so many questions it does not know the TXT records yet."""
    lies: bool = False
    """It takes updates, and forgets them."""
    rcode: int = 0
    """What it answers to everything."""
    tsig_error: int = 0
    update_rcode: int = 0
    authoritative: bool = True
    algorithm: str = "hmac-sha256"
    fails: dict[tuple[str, str], int] = field(default_factory=dict)
    """`(name, type)` → rcode of a question."""
    asked: list[str] = field(default_factory=list)
    """`udp TXT name` of questions."""
    updates: list[str] = field(default_factory=list)

    def answer(self, wire: bytes, way: str) -> bytes:
        key = dns.tsig.Key(KEY_NAME, SECRET, self.algorithm)
        try:
            query = dns.message.from_wire(wire, keyring={key.name: key})
        except (dns.message.UnknownTSIGKey, dns.tsig.BadSignature, dns.tsig.BadAlgorithm) as bad:
            known = not isinstance(bad, dns.message.UnknownTSIGKey)
            return self._refused(wire, key, BADSIG if known else BADKEY)
        if self.tsig_error and query.opcode() == dns.opcode.UPDATE:
            return self._refused(wire, key, self.tsig_error)
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.Rcode(self.rcode))
        if query.opcode() == dns.opcode.UPDATE:
            assert isinstance(query, dns.update.UpdateMessage)
            response.set_rcode(dns.rcode.Rcode(self._update(query)))
        elif not self.rcode:
            self._look_up(query, response, way)
        return response.to_wire()

    def _refused(self, wire: bytes, key: dns.tsig.Key, error: int) -> bytes:
        response = dns.message.Message(id=struct.unpack("!H", wire[:2])[0])
        response.flags |= dns.flags.QR | dns.opcode.to_flags(dns.opcode.UPDATE)
        response.set_rcode(dns.rcode.NOTAUTH)
        if error != UNSIGNED:
            response.use_tsig(key, tsig_error=error)
        return response.to_wire()

    def _update(self, query: dns.update.UpdateMessage) -> int:
        if self.update_rcode:
            return self.update_rcode
        name = query.zone[0].name.to_text(omit_final_dot=True)
        zone = next((zone for zone in self.zones if zone.name == name), None)
        if zone is None:
            return dns.rcode.NOTAUTH
        for rrset in query.update:
            owner = rrset.name.to_text(omit_final_dot=True)
            for record in rrset:
                verb = "-" if rrset.deleting == dns.rdataclass.NONE else "+"
                self.updates.append(f"{verb}{owner} {record.to_text()}")
                if self.lies:
                    continue
                values = zone.records.setdefault((owner, "TXT"), set())
                (values.discard if verb == "-" else values.add)(record.to_text())
        return dns.rcode.NOERROR

    def _look_up(self, query: dns.message.Message, response: dns.message.Message, way: str) -> None:
        name = query.question[0].name
        text, kind = (
            name.to_text(omit_final_dot=True),
            dns.rdatatype.to_text(query.question[0].rdtype),
        )
        self.asked.append(f"{way} {kind} {text}")
        if code := self.fails.get((text, kind)):
            response.set_rcode(dns.rcode.Rcode(code))
            return
        zone = max(
            (zone for zone in self.zones if name.is_subdomain(dns.name.from_text(zone.name))),
            key=lambda zone: len(zone.name),
            default=None,
        )
        if zone is None:
            response.set_rcode(dns.rcode.REFUSED)
            return
        if self.authoritative:
            response.flags |= dns.flags.AA
        text = zone.owner_of(text)
        records = zone.records
        if self.lags and kind == "TXT":
            self.lags -= 1
            records = {}
        found = records.get((text, kind), set())
        if alias := zone.records.get((text, "CNAME")) if not found else None:
            response.answer.append(dns.rrset.from_text(name, 1, "IN", "CNAME", *alias))
        if found:
            response.answer.append(dns.rrset.from_text(name, 1, "IN", kind, *sorted(found)))
        elif not alias:
            if not any(values for (owner, _), values in zone.records.items() if owner == text):
                response.set_rcode(dns.rcode.NXDOMAIN)
            (soa,) = zone.records[zone.name, "SOA"]
            response.authority.append(dns.rrset.from_text(zone.name + ".", 1, "IN", "SOA", soa))


def _serve_udp(server: Server, bound: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            wire, sender = bound.recvfrom(65535)
            if not wire:
                return
            bound.sendto(server.answer(wire, "udp"), sender)


def _serve_tcp(server: Server, bound: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = bound.accept()
            with connection, contextlib.suppress(OSError, struct.error):
                (size,) = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
                answer = server.answer(connection.recv(size, socket.MSG_WAITALL), "tcp")
                connection.sendall(struct.pack("!H", len(answer)) + answer)


@contextlib.contextmanager
def serving(servers: dict[str, Server], *, tcp: bool = True) -> Iterator[int]:
    """Have them answer at their addresses while it lasts; gives the port that is the same for all.

    Without `tcp` they answer over UDP only.
    """
    with contextlib.ExitStack() as stack:
        bound, port = _bind([*servers], stack)
        threads = []
        for (kind, address), place in bound.items():
            if kind == socket.SOCK_STREAM and not tcp:
                continue
            if kind == socket.SOCK_STREAM:
                place.listen(16)
            work = _serve_tcp if kind == socket.SOCK_STREAM else _serve_udp
            thread = threading.Thread(target=work, args=(servers[address], place), daemon=True)
            thread.start()
            threads.append(thread)
        try:
            yield port
        finally:
            for place in bound.values():
                with contextlib.suppress(OSError):
                    place.shutdown(socket.SHUT_RDWR)
            for (kind, address), place in bound.items():
                if kind == socket.SOCK_DGRAM:
                    with contextlib.suppress(OSError):
                        place.sendto(b"", (address, port))
            for thread in threads:
                thread.join(10)


def _bind(
    addresses: list[str], stack: contextlib.ExitStack
) -> tuple[dict[tuple[int, str], socket.socket], int]:
    """Take one port at all addresses, for both kinds; another one where it is taken somewhere."""
    for _ in range(100):
        with contextlib.ExitStack() as tried:
            bound: dict[tuple[int, str], socket.socket] = {}
            port = 0
            try:
                for address in addresses:
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        place = tried.enter_context(socket.socket(family, kind))
                        place.bind((address, port))
                        port = place.getsockname()[1]
                        bound[kind, address] = place
            except OSError:
                continue
            stack.push(tried.pop_all())
            return bound, port
    raise AssertionError("no port is free at all of these addresses")


def zone(name: str, servers: dict[str, str]) -> Zone:
    """A zone with its name servers: name → address."""
    made = Zone(name)
    made.put(name, "SOA", f"ns1.{name}. root.{name}. 1 3600 600 86400 1")
    for server, address in servers.items():
        made.put(name, "NS", f"{server}.")
        made.put(server, "AAAA" if ":" in address else "A", address)
    return made
