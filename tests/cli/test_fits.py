"""What is written for people stays within the width of their terminal, and loses no word."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from supervisor.cli.commands import check, history, plan
from supervisor.cli.show import certificate_view, image_view, log_lines, screen, status_view
from supervisor.kit.texts import joined
from supervisor.model.certificate_status import CertificateState
from supervisor.model.check import Check, CheckedApp
from supervisor.model.errors import Finding
from supervisor.model.need import unit_need
from supervisor.model.plan import Plan, Reload, RestartUnit, Verdict
from tests.examples import scaled

WIDTH = 80
_COLOURS = re.compile("\x1b\\[[0-9;]*m")

words = st.one_of(
    st.text(min_size=1, max_size=30),
    st.text("abc-._", min_size=1, max_size=120),
    st.text("日本語コンテナé\u0301👩‍🚀", min_size=1, max_size=60),
    st.from_regex(r"https://[a-z]{1,30}\.example\.org/[a-z/]{0,90}\.git", fullmatch=True),
)
texts = st.lists(words, min_size=1, max_size=8).map(" ".join)
few = st.lists(texts, max_size=3)
findings = st.lists(
    st.builds(
        Finding,
        message=texts,
        path=st.just("") | words,
        line=st.integers(0, 10**6),
        hint=st.just("") | texts,
        fatal=st.booleans(),
    ),
    max_size=3,
)


class Terminal(io.StringIO):
    """A terminal of 80 columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def written(draw: Callable[[], None]) -> list[str]:
    """Return the lines that something writes to the terminal, without their colours."""
    terminal = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", terminal)
        draw()
    lines = _COLOURS.sub("", terminal.getvalue()).split("\n")
    for line in lines:
        assert cell_len(line) <= WIDTH, line
    return lines


def plain(found: list[Finding]) -> list[dict[str, Any]]:
    return [
        {"message": one.message, "path": one.path, "line": one.line, "hint": one.hint}
        for one in found
    ]


@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from([None, 2, 23]))
def test_no_character_of_a_line_is_lost(cells: list[str], hang: int | None) -> None:
    lines = written(lambda: screen.say("  ", *cells, hang=hang))
    told = "".join(joined(cell) if "\n" in cell.strip() else cell for cell in cells)
    assert "".join("".join(lines).split()) == "".join(screen.clean(told).split())


@settings(max_examples=scaled(20))
@given(name=words, place=words, more=few, found=findings, running=st.booleans())
def test_a_status(
    name: str, place: str, more: list[str], found: list[Finding], *, running: bool
) -> None:
    unit = {"name": f"{name}.service", "active": "failed", "sub": "failed", "failures": 2}
    app = {
        "name": name,
        "state": "failing",
        "revision": "3f2a91c0ffee",
        "wanted_revision": "0123456789ab",
        "units": [
            unit,
            {**unit, "health": "unhealthy", "health_since": 1.0, "health_output": place},
        ],
        "findings": plain(found),
        "waiting": [{"text": name, "detail": one} for one in more],
        "held_back": more,
        "gate": place,
    }
    source = {
        "name": name,
        "location": place,
        "ref": name,
        "revision": "3f2a91c0ffee",
        "subject": place,
        "author": place,
        "error": place,
        "findings": plain(found),
        "webhook": {"scheme": "github", "problem": place},
    }
    watch = {"what": "Podman's events", "way": "journal", "reason": place, "cost": place}
    status = {
        "running": running,
        "sources": [source],
        "apps": [app],
        "watches": [watch, {**watch, "hint": place}],
        "webhooks": {"address": place, "open": running},
        "problems": plain(found),
    }
    written(lambda: status_view.show(status, now=1.0))
    written(lambda: status_view.show(status, named=[name], now=1.0))


@settings(max_examples=scaled(20))
@given(app=words, image=words, tag=words, why=texts, failed=st.booleans())
def test_images(app: str, image: str, tag: str, why: str, *, failed: bool) -> None:
    version = {"runs": f"{image}@sha256:{'3f' * 32}", "tag": tag}
    held = {"image": image, "version": version, "why": why, "until": 9.0, "failed": failed}
    known = {"question": {"image": image, "policy": {"kind": "regex", "pattern": why}}}
    one = {
        "app": app,
        "image": image,
        "paths": [image],
        "running": version,
        "known": {**known, "newest": version, "asked_at": 1.0},
        "next_check_at": 3_000.0,
        "held": held,
        "pinned": version,
        "moves_to": version,
        "passes": why,
    }
    lost = {**one, "known": {**known, "problem": why, "hint": why}, "held": None, "on_trial": True}
    written(lambda: image_view.show([one, lost], app=app, now=2.0))
    written(lambda: image_view.show([one, lost], now=2.0))
    written(lambda: image_view.would_be({"images": [one, lost]}))


@settings(max_examples=scaled(20))
@given(name=words, issuer=words, why=texts, state=st.sampled_from(sorted(CertificateState)))
def test_certificates(name: str, issuer: str, why: str, state: str) -> None:
    one = {
        "name": name,
        "app": name,
        "state": state,
        "domains": [name, issuer],
        "issuer": issuer,
        "expires": 9e6,
        "serial": "3f" * 20,
        "renew_at": 3e6,
        "why_then": "two thirds of its life are over",
        "error": why,
        "hint": why,
        "retry_at": 4e6,
        "directory": f"/{name}",
        "units": [name, issuer],
    }
    written(lambda: certificate_view.show([one, {**one, "error": "", "retry_at": 0}], now=2.0))
    written(lambda: certificate_view.show_one(one, now=9.1e6))


@settings(max_examples=scaled(20))
@given(subject=texts, author=texts, image=words, why=texts)
def test_a_history(subject: str, author: str, image: str, why: str) -> None:
    one = {
        "revision": "3f2a91c0ffee",
        "release": "0123456789ab",
        "outcome": "failed",
        "began_at": 1.0,
        "subject": subject,
        "author": author,
        "images": {image: "3f" * 32},
        "pins": [{"path": "", "question": image, "runs": image, "tag": "1.27"}],
        "reason": why,
    }
    written(lambda: history._show({"rollouts": [one]}, now=2.0))


@settings(max_examples=scaled(20))
@given(words, few, findings)
def test_a_plan(name: str, more: list[str], found: list[Finding]) -> None:
    verdict = Verdict(
        app=name,
        revision="3f2a91c0ffee",
        findings=tuple(found),
        waiting=tuple(unit_need(f"{name}.service", one) for one in more),
        held_back=tuple(more),
        complete=False,
    )
    reason = " ".join(more)
    steps = (Reload(reason=reason), RestartUnit(app=name, unit=f"{name}.service", reason=reason))
    made = Plan(steps=steps, verdicts=(verdict,), problems=tuple(found))
    written(lambda: plan._show(made))


@settings(max_examples=scaled(40))
@given(words, words, findings)
def test_a_check(name: str, place: str, found: list[Finding]) -> None:
    app = CheckedApp(name=name, root=place, files=(place,), units=(), refused=False)
    made = Check(apps=(app,), findings=tuple(found), others=1, sources=(name,))
    written(lambda: check._show(made))


@settings(max_examples=scaled(40))
@given(
    name=words, reason=texts, detail=st.lists(texts, max_size=3).map("\n".join), ok=st.booleans()
)
def test_an_event(name: str, reason: str, detail: str, *, ok: bool) -> None:
    event = {
        "time": 1.0,
        "kind": "applied",
        "ok": ok,
        "app": name,
        "unit": f"{name}.service",
        "revision": "3f2a91c0ffee",
        "reason": reason,
        "detail": detail,
    }
    written(lambda: log_lines.show_event(event, with_time=True))
    written(lambda: log_lines.show_event(event, with_time=False))


def test_a_long_subject_keeps_what_follows_in_its_column() -> None:
    image = {"time": 1.0, "kind": "waiting", "app": "noimg", "reason": "no such tag"}
    event = {**image, "subject": "registry.example.org:5000/me/nothere:9"}
    (line, _) = written(lambda: log_lines.show_event(event, with_time=False))
    (short, _) = written(lambda: log_lines.show_event(image, with_time=False))
    assert line.index("no such tag") == short.index("no such tag")
    assert "noimg/registr…0/me/nothere:9 " in line


def test_a_long_name_of_a_step_keeps_what_follows_in_its_column() -> None:
    short = {"time": 1.0, "kind": "step", "step": "start", "app": "web", "reason": "new"}
    lines = [
        written(lambda event=event: log_lines.show_event(event, with_time=False))[0]
        for event in (short, {**short, "step": "remove-container", "subject": "systemd-web"})
    ]
    assert len({line.index(" new") for line in lines}) == 1, lines
