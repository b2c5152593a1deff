import pytest

from supervisor.core.githost.client_address import (
    parse_listen,
    rate_limit_key,
    sender,
)
from supervisor.model.webhook import Sender

PROXIES = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "who"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "1.2.3.4, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "1.2.3.4, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("127.0.0.1", "nonsense, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "198.51.100.7, nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("127.0.0.1", "1.2.3.4," * 1_000, "127.0.0.1"),
        ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("fd00::1%eth0", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", ""),
    ],
)
def test_who_sent_it(peer: str, forwarded: str, who: str) -> None:
    assert sender(peer, forwarded, PROXIES).address == who


def test_nobody_is_a_proxy_until_the_settings_say_so() -> None:
    assert sender("127.0.0.1", "198.51.100.7", ()) == Sender("127.0.0.1")


@pytest.mark.parametrize("forwarded", ["", "198.51.100.7", "1.2.3.4," * 1_000])
def test_what_a_proxy_passes_on_is_hearsay(forwarded: str) -> None:
    assert sender("10.3.2.1", forwarded, PROXIES).by_proxy
    assert not sender("192.0.2.1", forwarded, PROXIES).by_proxy


def test_a_customer_of_a_provider_has_many_addresses_in_ipv6() -> None:
    assert (
        rate_limit_key("2001:db8:1:2:3::4")
        == rate_limit_key("2001:db8:1:2::9")
        == "2001:db8:1:2::/64"
    )
    assert rate_limit_key("192.0.2.1") == "192.0.2.1"
    assert rate_limit_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert rate_limit_key("nonsense") == "nonsense"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:9078", ("127.0.0.1", 9078)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),  # noqa: S104
        ("[::1]:65535", ("::1", 65535)),
        ("[::]:9078", ("::", 9078)),
    ],
)
def test_where_to_listen(text: str, parsed: tuple[str, int]) -> None:
    assert parse_listen(text) == parsed


@pytest.mark.parametrize(
    "text", ["9078", ":9078", "localhost:9078", "127.0.0.1", "127.0.0.1:0", "1.2.3.4:65536",
             "::1:9078x", "[::1]", "1.2.3.4:٣", "[1.2.3.4]:1", "2001:db8::1:80", " 127.0.0.1:1"]
)  # fmt: skip
def test_where_nobody_can_listen(text: str) -> None:
    with pytest.raises(ValueError):
        parse_listen(text)
