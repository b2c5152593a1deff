"""Calls of libc: what they return, and their refusals as the system has them."""

import errno
import os

import pytest

from supervisor.kit import libc


def test_what_it_returns_and_why_it_fails() -> None:
    assert libc.call("getpid") == os.getpid()
    for wrong, number in ((b"/none", errno.ENOENT), (b"/dev/null", errno.ENOTDIR)):
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            libc.call("chdir", wrong)
        assert caught.value.errno == number
