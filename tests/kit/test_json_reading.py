"""JSON that others wrote is read, or it is not: nothing of it ends a process."""

import msgspec
import pytest

from supervisor.kit.json_reading import read_json


class Told(msgspec.Struct):
    """What is hoped for."""

    name: str


def test_what_fits_is_read_and_what_is_not_known_is_passed_over() -> None:
    assert read_json(b'{"name": "a", "more": [1]}', Told) == Told("a")
    assert read_json(b"[]", list[Told]) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"name": 1}',
        b'{"name": "\xff"}',
        b"\xff\xfe",
        b'{"name": "a", "more": ' + b"[" * 100_000,
    ],
)
def test_what_does_not_fit_is_none(content: bytes) -> None:
    assert read_json(content, Told) is None
