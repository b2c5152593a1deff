"""What to type stands in `command` of what is found, where it can be copied; hints are in words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.cli.app import COMMANDS

ROOT = Path(__file__).parents[3]
TYPED = re.compile(rf"\bpodvisor ({'|'.join(COMMANDS)})\b")


def texts(value: ast.expr) -> str:
    """Return what is written literally in an expression."""
    parts = (one.value for one in ast.walk(value) if isinstance(one, ast.Constant))
    return " ".join(one for one in parts if isinstance(one, str))


def hints(function: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the hints that are given to what is found, with their lines."""
    named = {
        target.id: texts(one.value)
        for one in ast.walk(function)
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"Finding", "Incident"}:
            for keyword in call.keywords:
                if keyword.arg == "hint":
                    name = getattr(keyword.value, "id", "")
                    yield call.lineno, named.get(name, "") or texts(keyword.value)


FILES = [
    path
    for path in sorted((ROOT / "supervisor").rglob("*.py"))
    if re.search(r"\b(Finding|Incident)\(", path.read_text())
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_to_type_is_no_hint(path: Path) -> None:
    found = [
        (line, text) for line, text in hints(ast.parse(path.read_text())) if TYPED.search(text)
    ]
    assert not found
