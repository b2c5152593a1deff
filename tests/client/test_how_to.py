"""What docs/how-to/use-the-api.md shows is run, and what docs/reference/client.md shows."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from supervisor.api.endpoints import ENDPOINTS
from supervisor.model.wire import Problem
from tests.fakes.control_service import Served

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = DOCS / "how-to/use-the-api.md"
URL = "http://127.0.0.1:9079"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


PROGRAMS = [*blocks(HOW_TO, "python"), *blocks(DOCS / "reference/client.md", "python")]
REQUESTS = [
    line.removesuffix(" | grep -i ^link")
    for page in (HOW_TO, DOCS / "reference/api.md")
    for block in blocks(page, "sh")
    for line in block.replace("\\\n", "").splitlines()
    if line.startswith("curl")
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(
    program: str,
    podvisor: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(podvisor.socket.parents[1]))
    program = program.replace(URL, podvisor.url).replace("timeout=60", "timeout=0.2")
    exec(compile(program, "example", "exec"), {"__name__": "example"})  # noqa: S102
    assert capsys.readouterr().out


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 5
    assert len(REQUESTS) >= 8


@pytest.mark.parametrize("line", REQUESTS)
def test_requests(line: str) -> None:
    words = shlex.split(line)
    target = urlsplit(next(word for word in words if word.startswith("http://")))
    if target.path == "/openapi.json":
        return
    body = words[words.index("--json") + 1] if "--json" in words else None
    (one,) = (
        one
        for one in ENDPOINTS
        if (one.path, one.method) == (target.path, "POST" if body else "GET")
    )
    if body:
        msgspec.json.decode(body, type=one.request)
    else:
        msgspec.convert(dict(parse_qsl(target.query)), one.request, strict=False)


def test_answers() -> None:
    for block in blocks(HOW_TO, "json"):
        assert msgspec.convert(json.loads(block), Problem).hint
