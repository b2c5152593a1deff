"""Records appear at every server of their zone, and go: against servers of this process."""

import contextlib
import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import dns.name
import pytest

from supervisor.adapters.acme.dns import DnsError, published
from supervisor.adapters.acme.dns_servers import Shown, Way
from supervisor.adapters.acme.dns_wait import Awaited, wait_for
from supervisor.model.acme import FailureKind, ZoneAccess
from tests.adapters.acme import small_dns
from tests.adapters.acme.small_dns import Server, Zone

NAME = "_acme-challenge.example.test"
PRIMARY, SECONDARY = "127.0.0.1", "127.0.0.2"
PATIENCE = 60.0
FOR_EVER = 1 << 30


@dataclasses.dataclass
class House:
    """A zone, its two servers, and how it is changed."""

    zone: Zone
    primary: Server
    secondary: Server
    port: int
    access: ZoneAccess

    def published(self, *records: tuple[str, str], **given):
        access = given.pop("access", self.access)
        options = {
            "zones": (access,),
            "resolvers": (f"{PRIMARY}:{self.port}",),
            "timeout_seconds": PATIENCE,
            "port": self.port,
        }
        return published(records, **(options | given))

    def fails(self, *records: tuple[str, str], **given) -> DnsError:
        with pytest.raises(DnsError) as caught, self.published(*records, **given):
            pytest.fail("it is published")
        assert caught.value.hint or caught.value.kind is FailureKind.PASSING
        return caught.value

    def with_access(self, **changes) -> ZoneAccess:
        fields = {name: getattr(self.access, name) for name in self.access.__struct_fields__}
        return ZoneAccess(**(fields | changes))


@contextlib.contextmanager
def a_house(*more: Zone, tcp: bool = True, ns2: str = SECONDARY) -> Iterator[House]:
    zone = small_dns.zone("example.test", {"ns1.example.test": PRIMARY, "ns2.example.test": ns2})
    primary, secondary = Server([zone, *more]), Server([zone, *more])
    with small_dns.serving({PRIMARY: primary, SECONDARY: secondary}, tcp=tcp) as port:
        access = ZoneAccess(
            zone="example.test",
            provider="rfc2136",
            server=f"{PRIMARY}:{port}",
            key_name="acme",
            secret=small_dns.SECRET,
        )
        yield House(zone, primary, secondary, port, access)


@pytest.fixture
def house() -> Iterator[House]:
    with a_house() as made:
        yield made


def test_every_server_is_asked_over_udp_and_tcp_and_the_record_goes(house: House) -> None:
    with house.published((NAME, "one")) as left:
        assert house.zone.texts(NAME) == {"one"}
        for server in (house.primary, house.secondary):
            assert {f"udp TXT {NAME}", f"tcp TXT {NAME}"} <= {*server.asked}
    assert house.zone.texts(NAME) == set()
    assert left == []


def test_two_records_of_one_name_stand_side_by_side_and_others_stay(house: House) -> None:
    house.zone.put(NAME, "TXT", '"of another"')
    with house.published((NAME, "apex"), (NAME, "wildcard")):
        assert house.zone.texts(NAME) == {"of another", "apex", "wildcard"}
    assert house.zone.texts(NAME) == {"of another"}


def test_it_waits_for_a_secondary_that_lags(house: House) -> None:
    house.secondary.lags = 6
    with house.published((NAME, "one")):
        assert house.secondary.lags == 0
        assert len(house.secondary.asked) > 6


def test_a_secondary_that_does_not_follow_is_named(house: House) -> None:
    house.secondary.lags = FOR_EVER
    error = house.fails((NAME, "one"), timeout_seconds=0.3)
    assert "is not on every server of example.test" in str(error)
    assert "ns2.example.test (127.0.0.2, UDP)" in str(error)
    assert "ns1" not in str(error)
    assert "propagation" in error.hint
    assert error.kind is FailureKind.PASSING
    assert house.zone.texts(NAME) == set()


def test_a_provider_that_lies_is_named(house: House) -> None:
    house.primary.lies = True
    error = house.fails((NAME, "one"), timeout_seconds=0.3)
    assert "rfc2136 says that the TXT record of" in str(error)
    assert "no server of example.test shows it" in str(error)


def test_what_a_name_says_instead_is_told(house: House) -> None:
    house.zone.put(NAME, "TXT", '"of another"')
    house.primary.lies = True
    error = house.fails((NAME, "one"), timeout_seconds=0.3)
    assert "shows it after 0.3s, but “of another”: ns1.example.test" in str(error)


def test_propagation_limits_the_wait(house: House) -> None:
    house.primary.lies = True
    error = house.fails((NAME, "one"), access=house.with_access(propagation_seconds=0.2))
    assert "shows it after" in str(error)


def test_a_server_that_never_answers_is_named() -> None:
    with a_house() as house:
        house.secondary.rcode = 2
        error = house.fails((NAME, "one"), timeout_seconds=0.3)
    assert "did not answer" in str(error)
    assert "ns2.example.test (127.0.0.2, TCP): it answers SERVFAIL" in str(error)
    assert "port 53" in error.hint


def test_where_tcp_is_closed_udp_will_do() -> None:
    with a_house(tcp=False) as house, house.published((NAME, "one")):
        assert house.zone.texts(NAME) == {"one"}


def test_somebody_who_answers_for_all_servers_is_told(house: House) -> None:
    for server in (house.primary, house.secondary):
        server.lags, server.authoritative = FOR_EVER, False
    error = house.fails((NAME, "one"), timeout_seconds=0.3)
    assert "somebody else answers for ns1.example.test" in str(error)
    assert "router" in error.hint


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as one:
        one.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6_is_asked_too() -> None:
    zone = small_dns.zone("example.test", {"ns1.example.test": PRIMARY, "ns6.example.test": "::1"})
    other = Server([zone])
    with small_dns.serving({PRIMARY: Server([zone]), "::1": other}) as port:
        access = ZoneAccess(
            zone="example.test",
            provider="rfc2136",
            server=f"[::1]:{port}",
            key_name="acme.",
            secret=small_dns.SECRET,
        )
        with published(
            [(NAME, "one")],
            zones=[access],
            resolvers=[f"[::1]:{port}"],
            timeout_seconds=PATIENCE,
            port=port,
        ):
            assert {f"udp TXT {NAME}", f"tcp TXT {NAME}"} <= {*other.asked}


class Stub:
    """Says what each way of two servers shows."""

    def __init__(self, first: Shown, second: Shown) -> None:
        self._shown = {Way("ns1", "192.0.2.1", tcp=False): first}
        self._shown[Way("ns2", "2001:db8::1", tcp=False)] = second

    def ways_to(self, zone):
        return [*self._shown]

    def shown(self, name, ways):
        return [(way, self._shown[way]) for way in ways]


def test_a_server_that_this_machine_has_no_way_to_is_left_out_unless_it_is_the_last() -> None:
    there, unreachable = Shown(frozenset({"one"})), Shown(trouble="no route", absent=True)
    name = dns.name.from_text(NAME)
    awaited = Awaited(name, name.parent(), frozenset({"one"}), ZoneAccess(zone="x", provider="y"))
    wait_for(awaited, Stub(there, unreachable), seconds=0)
    for first in (unreachable, Shown(), Shown(trouble="no answer")):
        with pytest.raises(DnsError):
            wait_for(awaited, Stub(first, unreachable), seconds=0)


# --- whose zone it is -----------------------------------------------------------------------------


def test_cname_delegation_puts_it_where_the_name_leads() -> None:
    target = small_dns.zone("acme.example.net", {"ns1.acme.example.net": PRIMARY})
    with a_house(target) as house:
        house.zone.put(NAME, "CNAME", "hop.example.test.")
        house.zone.put("hop.example.test", "CNAME", "x.acme.example.net.")
        access = house.with_access(zone="acme.example.net")
        with house.published((NAME, "one"), (NAME, "two"), access=access):
            assert target.texts("x.acme.example.net") == {"one", "two"}
            assert house.zone.texts(NAME) == set()
        assert target.texts("x.acme.example.net") == set()


@pytest.mark.parametrize("target", ["elsewhere.example.net.", "example.test."])
def test_a_cname_of_all_names_gives_way(target: str) -> None:
    """As in a zone where each name leads to one web server."""
    with a_house(small_dns.zone("example.net", {"ns1.example.net": PRIMARY})) as house:
        house.zone.put("*.example.test", "CNAME", target)
        with house.published((NAME, "one"), (NAME, "two")):
            assert house.zone.texts(NAME) == {"one", "two"}
            assert house.zone.texts("example.test") == set()
        assert house.zone.texts(NAME) == set()


def test_a_cname_of_all_names_is_followed_where_nothing_can_be_put_at_the_name() -> None:
    target = small_dns.zone("acme.example.net", {"ns1.acme.example.net": PRIMARY})
    with a_house(target) as house:
        house.zone.put("*.example.test", "CNAME", "x.acme.example.net.")
        access = house.with_access(zone="acme.example.net")
        with house.published((NAME, "one"), access=access):
            assert target.texts("x.acme.example.net") == {"one"}


def test_cnames_in_a_circle_are_shown(house: House) -> None:
    house.zone.put(NAME, "CNAME", "a.example.test.")
    house.zone.put("a.example.test", "CNAME", f"{NAME}.")
    error = house.fails((NAME, "one"))
    assert f"{NAME} → a.example.test → {NAME}" in str(error)
    assert error.kind is FailureKind.REFUSED


def test_the_longest_zone_of_the_settings_counts_and_the_real_one_is_changed() -> None:
    inner = small_dns.zone("sub.example.test", {"ns1.sub.example.test": PRIMARY})
    with a_house(inner) as house:
        wrong = house.with_access(secret=small_dns.OTHER_SECRET)
        right = house.with_access(zone="sub.example.test")
        name = "_acme-challenge.www.sub.example.test"
        with house.published((name, "one"), zones=(wrong, right)):
            assert inner.texts(name) == {"one"}
        # Settings may name the parent only: the update still names the zone that it is in.
        with house.published((name, "two")):
            assert inner.texts(name) == {"two"}


def test_a_name_in_no_zone_of_the_settings_is_refused(house: House) -> None:
    error = house.fails((NAME, "one"), access=house.with_access(zone="other.test"))
    assert f"cannot put a TXT record at {NAME}: no zone in the settings holds it" in str(error)
    assert "(other.test)" in str(error)
    assert '[certificates.zones."example.test"]' in error.hint
    assert error.kind is FailureKind.REFUSED
    assert "(there are none)" in str(house.fails((NAME, "one"), zones=()))
    assert house.primary.updates == []


def test_resolvers_that_do_not_answer_are_named(house: House) -> None:
    house.primary.rcode = 2
    error = house.fails((NAME, "one"))
    assert f"cannot look up {NAME} (CNAME) in DNS" in str(error)
    assert "SERVFAIL" in str(error)
    assert f"{PRIMARY}" in str(error)
    assert "“no address” is no address" in str(
        house.fails((NAME, "one"), resolvers=("no address",))
    )


# --- updates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm",
    ["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1", "HMAC-MD5"],
)
def test_every_algorithm_of_tsig(house: House, algorithm: str) -> None:
    long = "hmac-md5.sig-alg.reg.int"
    house.primary.algorithm = long if algorithm == "HMAC-MD5" else algorithm
    with house.published((NAME, "one"), access=house.with_access(key_algorithm=algorithm)):
        assert house.zone.texts(NAME) == {"one"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secret": small_dns.OTHER_SECRET}, "it has another secret for it (BADSIG)"),
        ({"key_name": "other"}, "it knows no such key (BADKEY)"),
        ({"key_algorithm": "hmac-sha265"}, "no TSIG algorithm has this name"),
        ({"secret": "not base64!"}, "the secret is not in base64"),
    ],
)
def test_a_wrong_key_is_told(house: House, changes: dict[str, str], said: str) -> None:
    error = house.fails((NAME, "one"), access=house.with_access(**changes))
    assert said in str(error)
    assert error.kind is FailureKind.REFUSED
    assert error.hint
    assert house.zone.texts(NAME) == set()


def test_an_unsigned_no_is_one_to_the_key(house: House) -> None:
    # Knot DNS answers so to a key that it does not know.
    house.primary.tsig_error = small_dns.UNSIGNED
    error = house.fails((NAME, "one"))
    assert "knows no such key" in str(error)
    assert error.kind is FailureKind.REFUSED


def test_a_clock_that_is_off_is_told(house: House) -> None:
    house.primary.tsig_error = small_dns.BADTIME
    error = house.fails((NAME, "one"))
    assert "its clock and this machine's differ" in str(error)


@pytest.mark.parametrize(
    ("rcode", "kind"),
    [(5, FailureKind.REFUSED), (9, FailureKind.REFUSED), (2, FailureKind.PASSING)],
)
def test_a_server_that_says_no(house: House, rcode: int, kind: FailureKind) -> None:
    house.primary.update_rcode = rcode
    error = house.fails((NAME, "one"))
    assert "cannot change example.test at 127.0.0.1" in str(error)
    assert error.kind is kind


def test_a_server_that_is_not_there(house: House) -> None:
    error = house.fails((NAME, "one"), access=house.with_access(server="127.0.0.1:1"))
    assert "cannot reach the DNS server 127.0.0.1:1: Connection refused" in str(error)
    assert error.kind is FailureKind.PASSING
    for server in ("a..b", "127.0.0.1:port"):
        error = house.fails((NAME, "one"), access=house.with_access(server=server))
        assert f"cannot reach the DNS server {server}" in str(error)


# --- what is left ---------------------------------------------------------------------------------


def test_it_goes_whatever_happens(house: House) -> None:
    def fail() -> None:
        with house.published((NAME, "one")):
            assert house.zone.texts(NAME) == {"one"}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert house.zone.texts(NAME) == set()


def test_a_hook_has_as_long_as_the_order_and_is_told_to_clean_up(
    house: House, tmp_path: Path
) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$1" >>{tmp_path}/told\n[ "$1" = cleanup ] || sleep 600\n')
    hook.chmod(0o755)
    access = house.with_access(provider="hook", hook=str(hook))
    error = house.fails((NAME, "one"), access=access, timeout_seconds=0.1)
    assert "`present` did not end within" in str(error)
    assert (tmp_path / "told").read_text().splitlines()[-1] == "cleanup"


def test_what_cannot_be_taken_away_is_told_and_goes_the_next_time(
    house: House, tmp_path: Path
) -> None:
    notes = tmp_path / "dns.json"
    with house.published((NAME, "one"), notes=notes) as left:
        assert "one" in notes.read_text()
        assert small_dns.SECRET not in notes.read_text()
        house.primary.update_rcode = 2
    assert left[0].startswith(f"TXT records of {NAME} are left in DNS: cannot change example.test")
    assert house.zone.texts(NAME) == {"one"}
    house.primary.update_rcode = 0
    with house.published((NAME, "two"), notes=notes) as left:
        assert house.zone.texts(NAME) == {"two"}
    assert left == []
    assert not notes.exists()


def test_what_a_killed_process_left_goes_the_next_time(house: House, tmp_path: Path) -> None:
    notes = tmp_path / "dns.json"
    with house.published((NAME, "one"), notes=notes):
        killed = notes.read_bytes()
    notes.write_bytes(killed)
    house.zone.put(NAME, "TXT", '"one"')
    with house.published((NAME, "two"), notes=notes):
        assert house.zone.texts(NAME) == {"two"}
    notes.write_text("{ torn")
    with house.published((NAME, "two"), notes=notes):
        assert house.zone.texts(NAME) == {"two"}


def test_who_cannot_take_away_what_was_left_is_asked_for_one_of_them(
    house: House, tmp_path: Path
) -> None:
    """However many there are: each may take as long as it has, and the order waits for it."""
    notes, told = tmp_path / "dns.json", tmp_path / "told"
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$1 $3" >>{told}\n[ "$1" = present ]\n')
    hook.chmod(0o755)
    access = house.with_access(provider="hook", hook=str(hook))
    house.zone.put(NAME, "TXT", '"one"', '"two"', '"three"', '"four"')
    for value in ("one", "two", "three"):
        with house.published((NAME, value), notes=notes, access=access):
            pass
    told.unlink()
    with house.published((NAME, "four"), notes=notes, access=access):
        assert told.read_text().splitlines() == ["cleanup one", "present four"]
    hook.write_text(f'#!/bin/sh\necho "$1 $3" >>{told}\n')
    told.unlink()
    with house.published((NAME, "one"), notes=notes, access=access):
        taken = told.read_text().splitlines()
    assert taken == [*(f"cleanup {one}" for one in ("one", "two", "three", "four")), "present one"]
    assert not notes.exists()
