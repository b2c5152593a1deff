"""The addresses of a machine, from what its kernel shows."""

from pathlib import Path

import pytest

from supervisor.kit.addresses import is_own, others_see, own_addresses

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.2.0/24 2 0 2
        |-- 10.0.2.0
           /24 link UNICAST
        |-- 10.0.2.15
           /32 host LOCAL
        |-- 10.0.2.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
Local:
        |-- 10.0.2.15
           /32 host LOCAL
"""
SIX = """\
fe800000000000000000000000000015 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000015 02 40 00 80     eth0
"""


@pytest.fixture
def own(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/fib_trie").write_text(TRIE)
    (tmp_path / "net/if_inet6").write_text(SIX)
    return own_addresses(proc=tmp_path)


def test_each_is_there_once(own: tuple[str, ...]) -> None:
    assert own == ("10.0.2.15", "127.0.0.1", "2001:db8::15", "fe80::15", "::1")


def test_others_see_some_of_them(own: tuple[str, ...]) -> None:
    assert others_see(own) == ["10.0.2.15", "2001:db8::15"]


def test_all_of_the_loopback_are_its_own(own: tuple[str, ...]) -> None:
    mine = ("10.0.2.15", "2001:db8::15", "127.80.1.2", "::1")
    assert all(is_own(one, own) for one in mine)
    assert not any(is_own(one, own) for one in ("10.0.2.16", "192.0.2.1", "2001:db8::16"))


def test_a_machine_that_shows_none_has_none(tmp_path: Path) -> None:
    assert own_addresses(proc=tmp_path) == ()


def test_this_machine_has_some() -> None:
    assert "127.0.0.1" in own_addresses()
