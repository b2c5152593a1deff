"""The orders that the page offers: what each asks of a person, and of the daemon then."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from supervisor.kit.texts import parse_duration
from supervisor.model.unit_name import MOST_REPLICAS

Given = Mapping[str, str]
_INSTANCE = re.compile(r"([^@]+)@\d+\.([a-z]+)")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may write."""

    name: str
    label: str
    kind: str = "text"
    """Of the input, as HTML has it."""
    hint: str = ""
    is_needed: bool = False


class PageOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order."""

    name: str
    path: str
    """Of the API."""
    title: str
    says: str
    """What it does, before it is confirmed."""
    button: str
    body: Callable[[Given], dict[str, Any]]
    """What the daemon is sent. Raises ValueError, with a sentence."""
    fields: tuple[Field, ...] = ()
    """What the form asks for."""
    about: tuple[str, ...] = ("app",)
    """What is known already where the form is reached."""
    asks: bool = True
    """Whether it is confirmed first."""
    warning: Callable[[Given], str] = lambda _: ""
    """What has to be confirmed a second time."""

    @property
    def known(self) -> tuple[str, ...]:
        """All fields that the form may hold."""
        return (*self.about, *(one.name for one in self.fields), "confirmed")


_REASON = Field(name="reason", label="Reason", hint="for the event log")


def _apps(given: Given) -> dict[str, Any]:
    return {"apps": [given["app"]] if given.get("app") else []}


def _suspend(given: Given) -> dict[str, Any]:
    length = given.get("duration", "").strip()
    return {**_apps(given), "seconds": parse_duration(length) if length else 0, **_why(given)}


def _scale(given: Given) -> dict[str, Any]:
    number = given.get("replicas", "").strip()
    if number and not (number.isascii() and number.isdecimal() and int(number) <= MOST_REPLICAS):
        raise ValueError(f"“{number[:20]}” is no number from 0 to {MOST_REPLICAS}")
    replicas = {"replicas": int(number)} if number else {}
    return {"app": given.get("app", ""), "unit": given.get("unit", ""), **replicas, **_why(given)}


def _why(given: Given) -> dict[str, str]:
    return {"reason": given["reason"]} if given.get("reason") else {}


ORDERS = {
    one.name: one
    for one in (
        PageOrder(
            name="sync",
            path="/v1/sync",
            title="Sync",
            says="The sources are read now, and apps are brought to what they say.",
            button="Sync",
            body=_apps,
            asks=False,
        ),
        PageOrder(
            name="resume",
            path="/v1/resume",
            title="Resume",
            says="What was suspended, held or in quarantine goes on.",
            button="Resume",
            body=_apps,
            asks=False,
        ),
        PageOrder(
            name="retry",
            path="/v1/retry",
            title="Retry",
            says="What failed is tried once more.",
            button="Retry",
            body=_apps,
            asks=False,
        ),
        PageOrder(
            name="update",
            path="/v1/update",
            title="Update images",
            says="Registries are asked for newer images now, and what may run is run.",
            button="Update images",
            body=lambda given: {"name": given.get("app", "")},
            asks=False,
        ),
        PageOrder(
            name="suspend",
            path="/v1/suspend",
            title="Suspend",
            says="Nothing is changed, repaired or taken back until it is resumed. "
            "What runs keeps running.",
            button="Suspend",
            body=_suspend,
            fields=(
                Field(name="duration", label="For how long", hint="2h, 3d; empty: until resumed"),
                _REASON,
            ),
        ),
        PageOrder(
            name="rollback",
            path="/v1/rollback",
            title="Roll back",
            says="It is brought back to this release, and stays there until it is resumed.",
            button="Roll back",
            body=lambda given: {
                **_apps(given),
                "revision": given.get("revision", ""),
                **_why(given),
            },
            fields=(_REASON,),
            about=("app", "revision"),
        ),
        PageOrder(
            name="scale",
            path="/v1/scale",
            title="Scale",
            says="So many replicas of the unit run, until a release asks for another number.",
            button="Scale",
            body=_scale,
            fields=(
                Field(
                    name="replicas", label="Replicas", kind="number", hint="empty: as its file says"
                ),
                _REASON,
            ),
            about=("app", "unit"),
            warning=lambda given: (
                "None of it will run." if _scale(given).get("replicas") == 0 else ""
            ),
        ),
    )
}


def templates_of(app: dict[str, Any]) -> list[str]:
    """Return the units of an app that have replicas, as a status shows it: `web@.service`."""
    found = (_INSTANCE.fullmatch(unit["name"]) for unit in app.get("units", ()))
    return list(dict.fromkeys(f"{one[1]}@.{one[2]}" for one in found if one))
