"""Draws how certificates stand.

It takes the plain JSON of `model.certificate.CertificateStatus`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from supervisor.cli.daemon import places
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.kit.texts import relative

_STYLES = {
    "valid": "good",
    "stand-in": "warn",
    "ordered": "warn",
    "installed": "warn",
    "failing": "bad",
    "expired": "bad",
    "missing": "bad",
}
_NOTHING: Cell = ("-", "dim")


def show(certificates: Sequence[dict[str, Any]], *, now: float) -> None:
    """Write a line for each, and below what a person should know of it."""
    if not certificates:
        say("No app asks for a certificate.")
        return
    header = ("NAME", "STATE", "DOMAINS", "ISSUER", "EXPIRES", "RENEWAL", "WHY THEN")
    rows = [_row(one, now) for one in certificates]
    screen.table(rows, header=header, cut=("NAME", "DOMAINS", "ISSUER", "WHY THEN"))
    ailing = [one for one in certificates if one.get("error")]
    if ailing:
        say()
    for one in ailing:
        trouble(one, now=now)


def trouble(one: dict[str, Any], *, now: float, indent: str = "") -> None:
    """Say what is wrong with one, what to do, and when it is tried again."""
    words = []
    if one["state"] == "expired":
        words.append(f"it expired {relative(one['expires'], now=now)}")
    elif one.get("expires") and one["state"] != "stand-in":
        words.append(f"it expires {relative(one['expires'], now=now)}")
    if one.get("error"):
        words.append(one["error"])
    say(indent, ("✗ ", "bad"), (f"certificate {one['name']}: ", "strong"), "; ".join(words))
    if one.get("hint"):
        say(indent, "  ", (one["hint"], "dim"))
    if again := _again(one, now):
        say(indent, "  ", (again, "dim"))


def _again(one: dict[str, Any], now: float) -> str:
    if one.get("retry_at"):
        at = max(one["retry_at"], now)
        return f"tried again {relative(at, now=now)}; podvisor certs renew {one['name']} --now"
    return f"podvisor certs renew {one['name']} tries it again" if one.get("error") else ""


def show_one(one: dict[str, Any], *, now: float) -> None:
    """Write all that is known of one."""
    screen.table([[(key, "dim"), value] for key, value in _facts(one, now)])
    if one.get("error"):
        say()
        trouble(one, now=now)


def _facts(one: dict[str, Any], now: float) -> Iterator[tuple[str, Cell]]:
    yield "name", (one["name"], "strong")
    yield "app", one.get("app") or _NOTHING
    yield "state", _state(one)
    yield "domains", " ".join(one.get("domains", ())) or _NOTHING
    yield "issuer", one.get("issuer") or _NOTHING
    if one.get("serial"):
        yield "serial number", one["serial"]
    if one.get("expires"):
        yield "expires", _moment(one["expires"], now)
    if one.get("renew_at"):
        yield "renewal", f"{_moment(one['renew_at'], now)}, {one['why_then']}"
    if one.get("directory"):
        yield "files", places.shown(one["directory"])
    yield "used by", " ".join(one.get("units", ())) or _NOTHING


def _moment(moment: float, now: float) -> str:
    day = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{day} ({relative(moment, now=now)})"


def _row(one: dict[str, Any], now: float) -> list[Cell]:
    renewal = max(one.get("retry_at") or one.get("renew_at", 0.0), 0.0)
    why = "another try" if one.get("retry_at") else one.get("why_then", "")
    expires = one.get("expires", 0.0)
    return [
        (one["name"], "strong"),
        _state(one),
        " ".join(one.get("domains", ())) or _NOTHING,
        one.get("issuer") or _NOTHING,
        (relative(expires, now=now), "bad" if expires <= now else "") if expires else _NOTHING,
        relative(max(renewal, now), now=now) if renewal else _NOTHING,
        (why, "dim"),
    ]


def _state(one: dict[str, Any]) -> Cell:
    return (one["state"], _STYLES.get(one["state"], ""))


def is_well(certificates: Sequence[dict[str, Any]]) -> bool:
    """Whether each is there, can be renewed, and is served."""
    bad = {"failing", "expired", "missing"}
    return not any(one["state"] in bad or one.get("error") for one in certificates)
