"""schemathesis asks whatever the OpenAPI document allows, and what it does not.

The page's process, and the daemon's own answers behind it, keep to the document: each status,
type and method. What is asked follows from the document alone, so each run asks the same;
`contrib/test fuzz` asks something else each time.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.api.endpoints import ENDPOINTS
from supervisor.api.openapi import document
from tests.fakes import fuzzer
from tests.fakes.control_service import TOKEN, Served, served

pytestmark = pytest.mark.once
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def podvisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("podvisor")) as running:
        # Whoever follows the event log is told of what there is, and that the daemon ends.
        running.service.is_stopping = True
        yield running


def complaints(url: str, folder: Path, *options: str) -> str:
    """Return what schemathesis says; empty if nothing is wrong."""
    described = folder / "openapi.json"
    described.write_text(json.dumps(document("1.2.3")))
    done = subprocess.run(
        fuzzer.command(described, "--url", url, *options, token=TOKEN),
        cwd=folder,
        env={**os.environ, **fuzzer.environment()},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def one_of_each_kind() -> str:
    """Return a pattern of endpoints, one for each type of request: the others are read alike."""
    kinds = {(one.method, one.request): one.name for one in ENDPOINTS}
    return f"^({'|'.join(kinds.values())})$"


@pytest.mark.hypothesis
@pytest.mark.parametrize(
    ("place", "some"), [("url", one_of_each_kind()), ("control_url", "^(status|events|sync)$")]
)
def test_it_keeps_to_its_document(
    place: str, some: str, podvisor: Served, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What goes through the page is answered behind it: of that, methods and sizes are left."""
    if request.config.getoption("--hypothesis-profile") == "fuzz":
        seed = request.config.getoption("--hypothesis-seed")
        options = ["--phases", "fuzzing", "--seed", str(seed), "--max-time", "60"]
    else:
        options = ["--phases", "coverage", "--seed", "1", "--include-operation-id-regex", some]
    assert complaints(getattr(podvisor, place), tmp_path, *options) == ""
