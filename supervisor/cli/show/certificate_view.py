"""Draws how certificates stand.

It takes the plain JSON of `model.certificate_status.CertificateStatus`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from supervisor.cli.daemon import places
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.core.status.in_words import certificate_in_words
from supervisor.kit.texts import minute, relative

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
    screen.table(rows, header=header, fold=("WHY THEN", "ISSUER", "NAME", "DOMAINS"))
    told = [one for one in certificates if _has_news(one)]
    if told:
        say()
    for one in told:
        trouble(one, now=now)


def _has_news(one: dict[str, Any]) -> bool:
    return bool(one.get("error") or one.get("waits_for") or not one.get("is_asked_for", True))


def trouble(one: dict[str, Any], *, now: float, indent: str = "") -> None:
    """Say what is wrong with one, what to do, and when it is tried again; or what it waits for."""
    is_bad = one.get("error") or one["state"] in ("expired", "failing")
    mark = ("✗ ", "bad") if is_bad else ("… ", "warn")
    say(indent, mark, (f"certificate {one['name']}: ", "strong"), certificate_in_words(one, now))
    if one.get("hint"):
        say(indent, "  ", (one["hint"], "dim"))
    if again := _again(one, now):
        say(indent, "  ", (again, "dim"))


def _again(one: dict[str, Any], now: float) -> str:
    at_once = one.get("at_once", "")
    if one.get("retry_at"):
        when = f"tried again {relative(max(one['retry_at'], now), now=now)}"
        return f"{when}; at once: {at_once}" if at_once else when
    return f"{at_once} tries it again" if at_once else ""


def show_one(one: dict[str, Any], *, now: float) -> None:
    """Write all that is known of one."""
    screen.table([[(key, "dim"), value] for key, value in _facts(one, now)])
    if _has_news(one):
        say()
        trouble(one, now=now)


def _facts(one: dict[str, Any], now: float) -> Iterator[tuple[str, Cell]]:
    yield "name", (one["name"], "strong")
    yield "app", one.get("app") or _NOTHING
    yield "state", _state(one)
    yield "domains", " ".join(one.get("domains", ())) or _NOTHING
    yield "issuer", one.get("issuer") or _NOTHING
    if one.get("challenge"):
        yield "challenge", one["challenge"]
    if one.get("challenge") == "dns-persist-01":
        where = f"podvisor certs test {one['name']} shows it, and looks whether it stands there"
        yield "record", where
    if one.get("key_type"):
        yield "key type", one["key_type"]
    yield "installed", _installed(one)
    if one.get("serial"):
        yield "serial number", one["serial"]
    if one.get("expires"):
        yield "expires", _moment(one["expires"], now)
    if one.get("retry_at"):
        yield "next try", _moment(max(one["retry_at"], now), now)
    elif one.get("renew_at"):
        yield "renewal", f"{_moment(max(one['renew_at'], now), now)}, {one['why_then']}"
    if one.get("explanation"):
        yield "its issuer says", one["explanation"]
    for url in one.get("check", ()):
        yield "seen at", f"{url}: {_seen(one, url)}"
    if one.get("directory"):
        yield "files", places.shown(one["directory"])
    if one.get("secrets"):
        yield "Podman secrets", " ".join(one["secrets"])
    yield "used by", " ".join(one.get("units", ())) or _NOTHING


def _installed(one: dict[str, Any]) -> Cell:
    """Say of the one that is installed what it is, where that is not what is asked for."""
    if not one.get("expires"):
        return ("nothing yet", "warn")
    if one.get("is_standin"):
        return ("a self-signed stand-in", "warn")
    words = f"signed by {one['signed_by']}" if one.get("signed_by") else "a certificate"
    if one.get("installed_for"):
        words += f", for {' '.join(one['installed_for'])}"
    if one.get("installed_key_type"):
        words += f", with a key of {one['installed_key_type']}"
    return words


def _seen(one: dict[str, Any], url: str) -> str:
    if one.get("is_standin") or not one.get("expires"):
        return "there is none yet"
    return "not yet" if url in one.get("unseen", ()) else "it is served"


def _moment(moment: float, now: float) -> str:
    return f"{minute(moment)} ({relative(moment, now=now)})"


def _row(one: dict[str, Any], now: float) -> list[Cell]:
    retry_at, renew_at = one.get("retry_at", 0.0), one.get("renew_at", 0.0)
    renewal = retry_at or renew_at
    why = "another try" if retry_at and retry_at != renew_at else one.get("why_then", "")
    if not one.get("is_asked_for", True):
        why = "no app asks for it"
    elif one.get("error") and not renewal:
        why = "not by itself"
    return [
        (one["name"], "strong"),
        _state(one),
        " ".join(one.get("domains", ())) or _NOTHING,
        one.get("issuer") or _NOTHING,
        _expires(one, now),
        relative(max(renewal, now), now=now) if renewal else _NOTHING,
        (why, "dim"),
    ]


def _expires(one: dict[str, Any], now: float) -> Cell:
    if one.get("is_standin"):
        return ("stand-in", "warn")
    expires = one.get("expires", 0.0)
    if not expires:
        return _NOTHING
    return (relative(expires, now=now), "bad" if expires <= now else "")


def _state(one: dict[str, Any]) -> Cell:
    return (one["state"], _STYLES.get(one["state"], ""))


def is_well(certificates: Sequence[dict[str, Any]]) -> bool:
    """Whether each is there, can be renewed, and is served."""
    bad = {"failing", "expired", "missing"}
    return not any(one["state"] in bad or one.get("error") for one in certificates)
