"""What import-linter cannot see of the floors in docs/architecture.md, looked up in the source.

Core and model are pure: no coroutines, no clock, no files. Every module says what it is for.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import supervisor

ROOT = Path(supervisor.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "localtime", "gmtime"}
FILES = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "stat"}
OUTSIDE = {"print", "input", "open", "eval", "exec", "__import__"}
IMPURE_NAMES = {"pathlib": {"Path", "PosixPath"}, "os": {"*"}, "io": {"open"}, "time": {"*"}}


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines that wait, ask a clock, or reach outside."""
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
                yield node.lineno, "a coroutine"
            case ast.Call(func=ast.Name(id=name)) if name in OUTSIDE:
                yield node.lineno, f"{name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS | FILES:
                yield node.lineno, f".{name}()"
            case ast.Import(names=names):
                for one in names:
                    if one.name in IMPURE_NAMES:
                        yield node.lineno, f"import {one.name}"
            case ast.ImportFrom(module=str(module), names=names) if module in IMPURE_NAMES:
                refused = IMPURE_NAMES[module]
                for one in names:
                    if one.name in refused or "*" in refused:
                        yield node.lineno, f"from {module} import {one.name}"


@pytest.mark.parametrize(
    "text",
    [
        "async def look(): ...",
        "import os",
        "from time import monotonic",
        "from pathlib import Path",
        "def late(when): return datetime.now() > when",
        "def read(path): return path.read_text()",
        "def tell(text): print(text)",
    ],
)
def test_impurities_are_found(text: str) -> None:
    assert list(impurities(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "from pathlib import PurePosixPath",
        "from datetime import timedelta",
        "def late(now, when): return now > when",
        "def started(word): return word.startswith('open')",
    ],
)
def test_pure_code_passes(text: str) -> None:
    assert not list(impurities(ast.parse(text)))


def test_core_and_model_are_pure() -> None:
    found = [
        f"{module}:{line}: {what}"
        for module in MODULES
        if module.parts[0] in {"core", "model"}
        for line, what in impurities(ast.parse((ROOT / module).read_text()))
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    trees = {module: ast.parse((ROOT / module).read_text()) for module in MODULES}
    assert [str(module) for module, tree in trees.items() if not ast.get_docstring(tree)] == []
