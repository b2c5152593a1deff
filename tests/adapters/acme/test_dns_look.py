"""What DNS says of a name: whom it lets issue, where it leads, what persists there."""

from collections.abc import Iterator

import pytest

from supervisor.adapters.acme.dns_look import (
    caa_problem,
    persist_problem,
    persist_record,
    where,
)
from tests.adapters.acme import small_dns
from tests.adapters.acme.small_dns import Server, Zone

OURS = ("letsencrypt.org",)
ACCOUNT = "https://acme.example/acct/1"
PERSIST = "_validation-persist.example.test"


class Asked:
    """A zone, and the resolver that knows it."""

    def __init__(self, zone: Zone, server: Server, port: int) -> None:
        self.zone = zone
        self.server = server
        self.resolvers = (f"127.0.0.1:{port}",)

    def caa(self, domain: str, **given: str) -> str:
        return caa_problem(domain, OURS, self.resolvers, **given)

    def persist(self, domain: str, now: float = 100.0) -> str:
        return persist_problem(
            domain, issuer=OURS[0], account=ACCOUNT, now=now, resolvers=self.resolvers
        )


@pytest.fixture
def asked() -> Iterator[Asked]:
    zone = small_dns.zone("test", {"ns.test": "127.0.0.1"})
    server = Server([zone])
    with small_dns.serving({"127.0.0.1": server}) as port:
        yield Asked(zone, server, port)


@pytest.mark.parametrize(
    ("records", "domain", "problem"),
    [
        ([], "www.example.test", ""),
        (['0 issue "letsencrypt.org"'], "www.example.test", ""),
        (['0 issue "LetsEncrypt.org; accounturi=x"'], "www.example.test", ""),
        (['0 issue "ca.test"', '0 issue "letsencrypt.org"'], "www.example.test", ""),
        (['0 iodef "mailto:a@example.test"'], "www.example.test", ""),
        (
            ['0 issue "ca.test; a=b"', '0 issue "two.test"'],
            "www.example.test",
            "example.test let ca.test, two.test issue certificates, not letsencrypt.org",
        ),
        (
            ['0 issue ";"'],
            "example.test",
            "example.test let nobody issue certificates, not letsencrypt.org",
        ),
        (['0 issue "letsencrypt.org"', '0 issuewild ";"'], "example.test", ""),
        (
            ['0 issue "letsencrypt.org"', '0 issuewild ";"'],
            "*.example.test",
            "example.test let nobody issue wildcard certificates, not letsencrypt.org",
        ),
        (['0 issue ";"', '0 issuewild "letsencrypt.org"'], "*.example.test", ""),
        (['0 issue "letsencrypt.org"'], "*.example.test", ""),
        (['0 issuewild ";"'], "example.test", ""),
        (
            ['128 tbs "x"'],
            "example.test",
            "example.test hold a critical property that nobody knows: tbs",
        ),
        (['128 issue "letsencrypt.org"', '0 tbs "x"'], "example.test", ""),
    ],
)
def test_caa(asked: Asked, records: list[str], domain: str, problem: str) -> None:
    asked.zone.put("example.test", "A", "192.0.2.1")
    if records:
        asked.zone.put("example.test", "CAA", *records)
    asked.zone.put("test", "CAA", *(['0 issue "ca.test"'] if records else []))
    assert asked.caa(domain) == (f"the CAA records of {problem}" if problem else "")


def test_caa_of_the_nearest_name_counts(asked: Asked) -> None:
    asked.zone.put("www.example.test", "CAA", '0 issue "letsencrypt.org"')
    asked.zone.put("example.test", "CAA", '0 issue ";"')
    assert asked.caa("www.example.test") == ""
    assert asked.caa("a.www.example.test") == ""
    assert "nobody" in asked.caa("mail.example.test")


def test_caa_may_name_ways_to_validate(asked: Asked) -> None:
    asked.zone.put("example.test", "CAA", '0 issue "letsencrypt.org; validationmethods=dns-01"')
    assert asked.caa("example.test", challenge="dns-01") == ""
    assert asked.caa("example.test") == ""
    assert asked.caa("example.test", challenge="http-01") == (
        "the CAA records of example.test let letsencrypt.org validate by dns-01 only, not by "
        "http-01"
    )


def test_caa_that_servers_cannot_tell_is_a_no(asked: Asked) -> None:
    asked.server.fails["example.test", "CAA"] = 2
    assert asked.caa("www.example.test") == (
        "the CAA records of www.example.test cannot be looked up (example.test: SERVFAIL): an "
        "issuer must take that for a no"
    )


def test_nothing_is_said_of_what_cannot_be_known(asked: Asked) -> None:
    asked.server.fails["example.test", "CAA"] = 5  # by a server that is no resolver
    assert asked.caa("www.example.test") == ""
    assert caa_problem("example.test", OURS, ("no address",)) == ""
    assert caa_problem("example.test", OURS, ("127.0.0.1:0",)) == ""
    assert caa_problem("example.test", (), asked.resolvers) == ""
    assert asked.caa("192.0.2.1") == ""
    assert asked.caa("..") == ""
    assert where("..", asked.resolvers) == ""
    assert where("192.0.2.1", asked.resolvers) == ""
    assert where("example.test", ("no address",)) == ""


def test_where_a_name_leads(asked: Asked) -> None:
    asked.zone.put("example.test", "A", "192.0.2.2", "192.0.2.1")
    asked.zone.put("example.test", "AAAA", "2001:db8::1")
    asked.zone.put("www.example.test", "CNAME", "example.test.")
    there = "example.test leads to 192.0.2.1, 192.0.2.2, 2001:db8::1"
    assert where("example.test", asked.resolvers) == there
    assert where("*.example.test", asked.resolvers) == there
    assert where("none.example.test", asked.resolvers) == "none.example.test has no address"


def test_the_record_that_would_persist() -> None:
    assert persist_record("example.test", issuer=OURS[0], account=ACCOUNT) == (
        PERSIST,
        f"letsencrypt.org; accounturi={ACCOUNT}",
    )
    assert persist_record("*.example.test", issuer=OURS[0], account=ACCOUNT, until=7.5) == (
        PERSIST,
        f"letsencrypt.org; accounturi={ACCOUNT}; policy=wildcard; persistUntil=7",
    )


@pytest.mark.parametrize(
    ("value", "domain", "problem"),
    [
        (f"letsencrypt.org; accounturi={ACCOUNT}", "example.test", ""),
        (f"letsencrypt.org;accounturi={ACCOUNT};persistUntil=101", "example.test", ""),
        (f"letsencrypt.org; accounturi={ACCOUNT}; persistUntil=99", "example.test", "is over"),
        (f"letsencrypt.org; accounturi={ACCOUNT}; persistUntil=x", "example.test", "is over"),
        (f"letsencrypt.org; accounturi={ACCOUNT}", "*.example.test", "is not for wildcards"),
        (f"letsencrypt.org; accounturi={ACCOUNT}; policy=wildcard", "*.example.test", ""),
        (f"letsencrypt.org; accounturi={ACCOUNT}2", "example.test", "is for another account"),
        (f"ca.test; accounturi={ACCOUNT}", "example.test", "there is no record"),
    ],
)
def test_whether_a_record_persists(asked: Asked, value: str, domain: str, problem: str) -> None:
    asked.zone.put(PERSIST, "TXT", f'"{value}"')
    said = asked.persist(domain)
    assert problem in said
    assert bool(problem) is bool(said)


def test_nothing_persists_where_nothing_stands(asked: Asked) -> None:
    assert asked.persist("example.test") == (
        f"there is no record {PERSIST} with the value “letsencrypt.org; accounturi={ACCOUNT}”"
    )
    asked.server.rcode = 5
    assert "cannot look up" in asked.persist("example.test")
