"""The Issuer port against Pebble; run inside a host as a user (test_contract_issuer).

Arguments: what to try; the URL of the directory; the ports of http-01 and of tls-alpn-01; for
dns-01 the address of the server of example.test, with name and secret of its key. In `~/acme` are
`ca.crt`, who signed the directory's own certificate, `root.pem`, the root of what is issued, and
Pebble's log.
"""
# A plain program, without pytest's help:
# ruff: noqa: ASYNC220, ASYNC221, ASYNC251, T201

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from supervisor.adapters.acme.issuer import AcmeCertificates
from supervisor.core.x509.pairs import pair_problem
from supervisor.model.acme import (
    ORDER_FILES,
    AcmeIssuer,
    FailureKind,
    Order,
    OrderAnswer,
    OrderRefusal,
    Pair,
    ZoneAccess,
)
from supervisor.model.certificate import CertificateTerms, Challenge, KeyType

TRIED, DIRECTORY, HTTP, TLS, *DNS = sys.argv[1:]
PEBBLE = Path.home() / "acme"
STATE = Path.home() / "state"
ROOT = (PEBBLE / "root.pem").read_text()
ACME = AcmeIssuer(
    name="pebble",
    directory=DIRECTORY,
    authority=(PEBBLE / "ca.crt").read_text(),
    trust=ROOT,
    email="pi@example.org",
)
ISSUERS = AcmeCertificates(accounts=STATE / "accounts")
NAMES = ("web.example.org", "example.org", "127.0.0.1")
WITH = msgspec.structs.replace


def order(challenge: Challenge = Challenge.HTTP, *, kind: KeyType = KeyType.ECDSA_P256) -> Order:
    port = HTTP if challenge is Challenge.HTTP else TLS
    return Order(
        name="web",
        folder=str(STATE / "web"),
        accounts=str(STATE / "accounts"),
        issuer=ACME,
        terms=CertificateTerms(domains=NAMES, issuer="pebble", key_type=kind),
        challenge=challenge,
        listen=f"127.0.0.1:{port}",
        timeout_seconds=120.0,
    )


def kept(pair: Pair) -> Pair:
    """As `CertificateFiles.keep` does it: the order has ended."""
    for name in ORDER_FILES:
        (STATE / "web" / name).unlink()
    return pair


async def issued(wanted: Order) -> Pair:
    answer = await ISSUERS.issue(wanted)
    assert isinstance(answer, Pair), answer
    trust = wanted.issuer.trust
    problem = pair_problem(
        answer.key, answer.chain, names=wanted.terms.domains, now=time.time(), trust=trust
    )
    assert not problem, problem
    return kept(answer)


async def refused(wanted: Order, kind: FailureKind, *words: str) -> OrderRefusal:
    answer = await ISSUERS.issue(wanted)
    assert isinstance(answer, OrderRefusal), answer
    said = f"{answer.message}; {answer.hint}"
    print(said)
    assert answer.kind is kind, answer
    assert all(word in said for word in words), said
    return answer


async def every() -> None:
    """The challenges that need no DNS server, and all types of keys; renewed, and revoked."""
    before = None
    for challenge, kinds in (
        (Challenge.HTTP, KeyType),
        (Challenge.TLS_ALPN, (KeyType.ECDSA_P256, KeyType.ECDSA_P384)),
    ):
        for kind in kinds:
            wanted = order(challenge, kind=kind)
            if before:
                wanted = WITH(wanted, replaces=before.facts.ari_id)
            pair = await issued(wanted)
            info = await ISSUERS.renewal_info(ACME, pair.facts)
            assert info, "it says when to renew"
            assert info.start < info.end, info
            before = pair
    assert before
    again = await issued(WITH(order(), key=before.key))
    assert again.key == before.key
    await ISSUERS.revoke(ACME, (again.key, again.chain))
    await ISSUERS.revoke(ACME, (again.key, again.chain))
    shutil.rmtree(STATE / "accounts")
    await ISSUERS.revoke(ACME, (before.key, before.chain))
    shown = STATE / "www"
    shown.mkdir()
    serving = [sys.executable, "-m", "http.server", "-d", str(shown), "-b", "127.0.0.1", HTTP]
    with subprocess.Popen(serving, stderr=subprocess.DEVNULL) as web:
        await _until_it_listens(int(HTTP))
        await issued(WITH(order(), webroot=str(shown)))
        await refused(order(), FailureKind.PASSING, "Address already in use", "http_listen")
        web.kill()
    assert [*shown.iterdir()] == []


async def records() -> None:
    """A wildcard and its domain, by records in DNS, with two types of keys."""
    server, key_name, secret = DNS
    zone = ZoneAccess(
        zone="example.test", provider="rfc2136", server=server, key_name=key_name, secret=secret
    )
    names = ("example.test", "*.example.test", "www.example.test")
    for kind in (KeyType.ECDSA_P256, KeyType.RSA_2048):
        wanted = order(Challenge.DNS, kind=kind)
        wanted = WITH(wanted, zones=(zone,), resolvers=(server,))
        pair = await issued(WITH(wanted, terms=WITH(wanted.terms, domains=names)))
        assert pair.facts.names == tuple(sorted(names)), pair.facts
    elsewhere = WITH(wanted, terms=WITH(wanted.terms, domains=("acme.example.net",)))
    await refused(elsewhere, FailureKind.REFUSED, "acme.example.net", "[certificates.zones")


async def _until_it_listens(port: int) -> None:
    import anyio

    while True:
        try:
            stream = await anyio.connect_tcp("127.0.0.1", port)
        except OSError:
            await anyio.sleep(0.05)
        else:
            await stream.aclose()
            return


async def chains() -> None:
    """Other roots, and which of the chains is taken."""
    assert await issued(order())
    other = (PEBBLE / "other-root.pem").read_text()
    assert other != ROOT
    assert await issued(WITH(order(), issuer=WITH(ACME, trust=other)))
    name = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-nameopt", "sep_multiline,utf8"],
        input=other,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.rpartition("CN=")[2]
    pair = await issued(WITH(order(), issuer=WITH(ACME, trust="", chain=name.strip())))
    assert not pair_problem(pair.key, pair.chain, names=NAMES, now=time.time(), trust=other)


async def bound() -> None:
    """An issuer that wants accounts to be bound."""
    await refused(order(), FailureKind.REFUSED, "eab_key_id")
    wrong = WITH(ACME, key_id="kid-1", key="bm90LXRoZS1rZXktYnV0LWxvbmctZW5vdWdo")
    await refused(WITH(order(), issuer=wrong), FailureKind.REFUSED, "cannot have an account")
    right = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    await issued(WITH(order(), issuer=WITH(ACME, key_id="kid-1", key=right)))


async def refusals() -> None:
    """What goes wrong, in words."""
    await refused(
        WITH(order(), listen="127.0.0.1:0"), FailureKind.VALIDATION, "must lead to 127.0.0.1:0"
    )
    await refused(
        WITH(order(), listen="127.0.0.1:80"),
        FailureKind.PASSING,
        "Permission denied",
        "net.ipv4.ip_unprivileged_port_start=80",
    )
    terms = order().terms
    await refused(
        WITH(order(), terms=WITH(terms, domains=("*.example.org",))),
        FailureKind.REFUSED,
        "dns-01",
    )
    await refused(
        WITH(order(), terms=WITH(terms, profile="nothing")), FailureKind.REFUSED, "Profile="
    )
    await refused(
        WITH(order(), issuer=WITH(ACME, authority=ROOT)),
        FailureKind.PASSING,
        "its own certificate is not trusted",
    )
    await refused(
        WITH(order(), issuer=WITH(ACME, trust=ACME.authority)),
        FailureKind.REFUSED,
        "its chain leads to",
    )


async def killed() -> None:
    """One process after the other, killed at one request later each: one certificate comes."""
    wanted = msgspec.msgpack.encode(order())
    log = PEBBLE / "pebble.log"
    for number in range(1, 60):
        before = log.read_text().count("calling handler()")
        module = [sys.executable, "-P", "-m", "supervisor.adapters.acme.issue"]
        with subprocess.Popen(module, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(wanted)
            process.stdin.close()
            while process.poll() is None:
                if log.read_text().count("calling handler()") - before >= number:
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.005)
            output = process.stdout.read()
        if process.returncode == 0:
            answer = msgspec.msgpack.decode(output, type=OrderAnswer)
            assert answer.pair, answer.refusal
            print(f"it was issued by process {number}")
            kept(answer.pair)
            return
        assert process.returncode == -signal.SIGKILL
    raise AssertionError("it never ended")


TRIES = (every, records, chains, bound, refusals, killed)
uvloop.run({one.__name__: one for one in TRIES}[TRIED]())
