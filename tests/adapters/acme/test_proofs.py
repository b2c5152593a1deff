"""What proves names: there while an order is open, and nothing else."""

import contextlib
import errno
import hashlib
import http.client
import os
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from supervisor.adapters.acme.proofs import Proof, shown
from supervisor.adapters.acme.refusals import Refused
from supervisor.model.acme import AcmeIssuer, FailureKind, Order
from supervisor.model.certificate import CertificateTerms, Challenge

PROOF = Proof("example.org", "token-1", "token-1.thumbprint")
ADDRESS = Proof("127.0.0.1", "token-2", "token-2.thumbprint")
PLACE = "/.well-known/acme-challenge"


def order(challenge: Challenge = Challenge.HTTP, *, listen: str = "127.0.0.1:0") -> Order:
    return Order(
        name="web",
        folder="/state/web",
        accounts="/state/accounts",
        issuer=AcmeIssuer(name="fake", directory="https://fake.example/directory"),
        terms=CertificateTerms(domains=("example.org",)),
        challenge=challenge,
        listen=listen,
    )


def asked(port: int, path: str, *, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request(method, path, headers={"Host": "example.org"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def listens(port: int) -> bool:
    """Whether this process does."""
    own = set()
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            own.add(str(one.readlink()))
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/self/net", name).read_text().splitlines()[1:]:
            _, local, _, state, *more = line.split()
            is_listening = state == "0A" and int(local.rpartition(":")[2], 16) == port
            if is_listening and f"socket:[{more[5]}]" in own:
                return True
    return False


with_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "0.0.0.0:0", pytest.param("[::]:0", marks=with_ipv6), ":0"]
)
def test_the_listener_serves_its_tokens_and_nothing_else(listen: str) -> None:
    with shown([PROOF], order(listen=listen), timeout_seconds=10) as port:
        assert asked(port, f"{PLACE}/token-1") == (200, "token-1.thumbprint")
        assert asked(port, f"{PLACE}/token-1?from=1") == (200, "token-1.thumbprint")
        for path in ("/", f"{PLACE}/", f"{PLACE}/token-2", "/token-1", f"{PLACE}/../token-1"):
            assert asked(port, path) == (404, "")
        assert asked(port, "/", method="POST")[0] == 501
        assert listens(port)
    assert not listens(port)


@with_ipv6
def test_all_addresses_are_those_of_both_kinds() -> None:
    with shown([PROOF], order(listen="[::]:0"), timeout_seconds=10) as port:
        assert asked(port, f"{PLACE}/token-1", host="127.0.0.1")[0] == 200
        assert asked(port, f"{PLACE}/token-1", host="::1")[0] == 200


@pytest.mark.parametrize("why", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
@pytest.mark.parametrize("listen", ["[::]:0", ":0"])
def test_without_ipv6_all_addresses_are_those_of_ipv4(
    monkeypatch: pytest.MonkeyPatch, why: int, listen: str
) -> None:
    """The kernel has none (ipv6.disable=1), or the network of a container."""

    class Socket(socket.socket):
        def bind(self, address: object) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(why, os.strerror(why))
            super().bind(address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", Socket)
    with shown([PROOF], order(listen=listen), timeout_seconds=10) as port:
        assert asked(port, f"{PLACE}/token-1", host="127.0.0.1")[0] == 200


def test_an_address_of_ipv6_that_is_not_here_is_said() -> None:
    with (
        pytest.raises(Refused, match="cannot listen on") as failure,
        shown([PROOF], order(listen="[2001:db8::1]:0"), timeout_seconds=10),
    ):
        pass
    assert "[2001:db8::1]:0" in failure.value.refusal.message


def test_a_port_that_was_just_left_is_had_again_and_nobody_shares_it() -> None:
    """As after a helper that was killed in the middle of answers."""
    with shown([PROOF], order(listen="[::]:0"), timeout_seconds=10) as port:
        open_yet = socket.create_connection(("127.0.0.1", port))
        assert asked(port, f"{PLACE}/token-1")[0] == 200
    again = order(listen=f"[::]:{port}")
    with shown([PROOF], again, timeout_seconds=10):
        assert asked(port, f"{PLACE}/token-1")[0] == 200
        with pytest.raises(Refused, match="in use"), shown([PROOF], again, timeout_seconds=10):
            pass
    open_yet.close()


def test_nobody_who_says_nothing_keeps_others_waiting() -> None:
    with shown([PROOF], order(), timeout_seconds=10) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        assert asked(port, f"{PLACE}/token-1")[0] == 200
        for one in silent:
            one.close()


@pytest.mark.parametrize("token", ["", "../../x", "a/b", "a b", "a" * 300])
def test_a_token_that_is_none_is_not_shown(token: str) -> None:
    refused = Refused
    with (
        pytest.raises(refused, match="answers oddly"),
        shown([Proof("example.org", token, "x")], order(), timeout_seconds=10),
    ):
        pass


@pytest.mark.parametrize("listen", ["192.0.2.1:0", "127.0.0.1:99999", "nowhere"])
def test_an_address_that_is_not_here_is_said(listen: str) -> None:
    with (
        pytest.raises(Refused, match="cannot listen on") as failure,
        shown([PROOF], order(listen=listen), timeout_seconds=10),
    ):
        pass
    assert failure.value.refusal.kind is FailureKind.PASSING
    assert "http_listen" in failure.value.refusal.hint


def test_a_port_that_is_taken_is_said_with_who_has_it() -> None:
    name = Path("/proc/self/comm").read_text().strip()
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with (
            pytest.raises(Refused, match="cannot listen on") as failure,
            shown([PROOF], order(listen=listen), timeout_seconds=10),
        ):
            pass
    refusal = failure.value.refusal
    assert "in use: " in refusal.message
    for words in (refusal.message, refusal.hint):
        assert f"({name})" in words or f"{name} (process " in words


@pytest.fixture
def private() -> Iterator[None]:
    """What is made is for nobody else."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("private")
def test_files_are_there_for_a_web_server_and_go(tmp_path: Path) -> None:
    root = tmp_path / "www"
    root.mkdir()
    wanted = msgspec.structs.replace(order(), webroot=str(root))
    path = root / PLACE[1:] / "token-1"
    with shown([PROOF], wanted, timeout_seconds=10) as port:
        assert port == 0
        assert path.read_text() == "token-1.thumbprint"
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    assert [*root.iterdir()] == []
    path.parent.mkdir(parents=True)
    (path.parent / "other").write_text("of somebody else")
    with shown([PROOF], wanted, timeout_seconds=10):
        pass
    assert [one.name for one in path.parent.iterdir()] == ["other"]


def test_files_do_not_follow_links(tmp_path: Path) -> None:
    folder = tmp_path / PLACE[1:]
    folder.mkdir(parents=True)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (folder / "token-1").symlink_to(precious)
    with shown(
        [PROOF], msgspec.structs.replace(order(), webroot=str(tmp_path)), timeout_seconds=10
    ):
        pass
    assert precious.read_text() == "mine"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    wanted = msgspec.structs.replace(order(), webroot=str(tmp_path / "nowhere"))
    with (
        pytest.raises(Refused, match="cannot write to") as failure,
        shown([PROOF], wanted, timeout_seconds=10),
    ):
        pass
    assert "webroot" in failure.value.refusal.hint


def shaken(port: int, name: str, *, protocol: str = "acme-tls/1") -> bytes:
    """Return the certificate that is shown for a name, in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        assert secured.selected_alpn_protocol() == protocol
        found = secured.getpeercert(binary_form=True)
        assert found
        return found


@pytest.mark.parametrize(
    ("name", "proof"), [("example.org", PROOF), ("1.0.0.127.in-addr.arpa", ADDRESS)]
)
def test_a_certificate_proves_its_name_by_tls(name: str, proof: Proof) -> None:
    with shown([PROOF, ADDRESS], order(Challenge.TLS_ALPN), timeout_seconds=10) as port:
        found = x509.load_der_x509_certificate(shaken(port, name))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in names] == [proof.domain]
    identifier = found.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert identifier.critical
    digest = hashlib.sha256(proof.authorization.encode()).digest()
    assert isinstance(identifier.value, x509.UnrecognizedExtension)
    assert identifier.value.value == b"\x04\x20" + digest


def test_nothing_else_is_proven_by_tls() -> None:
    with shown([PROOF], order(Challenge.TLS_ALPN), timeout_seconds=10) as port:
        with pytest.raises(ssl.SSLError):
            shaken(port, "example.com")
        with pytest.raises((ssl.SSLError, AssertionError)):
            shaken(port, "example.org", protocol="h2")
        assert shaken(port, "example.org")
