"""What import-linter cannot see of the floors in docs/architecture.md, looked up in the source.

Core and model are pure: no coroutines, no clock, no files. Every module says what it is for.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import supervisor
from supervisor.controllers import ports as controllers_ports
from supervisor.controllers.keys import Kind

ROOT = Path(supervisor.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "localtime", "gmtime"}
FILES = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "stat"}
OUTSIDE = {"print", "input", "open", "eval", "exec", "__import__"}
IMPURE_NAMES = {"pathlib": {"Path", "PosixPath"}, "os": {"*"}, "io": {"open"}, "time": {"*"}}


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text())


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


def test_there_is_no_third_failure_but_where_it_ends_at_once() -> None:
    found = {
        module.as_posix()
        for module in MODULES
        if module.parts[0] != "cli"
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.ClassDef) and "Failure" in map(ast.unparse, node.bases)
    }
    assert found == {"kit/failures.py", "adapters/secrets/age.py"}


def test_core_and_model_are_pure() -> None:
    found = [
        f"{module}:{line}: {what}"
        for module in MODULES
        if module.parts[0] in {"core", "model"}
        for line, what in impurities(parsed(module))
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    trees = {module: parsed(module) for module in MODULES}
    assert [str(module) for module, tree in trees.items() if not ast.get_docstring(tree)] == []


PROSE = [
    *(ROOT / module for module in MODULES),
    *(ROOT.parent / name for name in ("docs/architecture.md", "CONTRIBUTING.md")),
]
FLOORS = "adapters|api|cli|controllers|core|kit|model|wiring"
MENTIONED = re.compile(rf"`((?:{FLOORS})(?:\.\w+)+|(?:{FLOORS})(?:/\w+)+(?:\.py|/))(?:\(\))?`")
PORT = re.compile(r"The `?(\w+)`? port\b")
KEYS = re.compile(r"[Kk]eys? ((?:`[a-z-]+(?::\w*)?`(?:, | and )?)+)")


def mentions(path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """What is mentioned in a file, with its place."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for found in pattern.finditer(line):
            yield f"{path.relative_to(ROOT.parent)}:{number}", found[1]


def is_there(mention: str) -> bool:
    """Whether a module, a folder, or what is defined in a module is there, by its dotted name."""
    place, *names = ROOT, *mention.removesuffix(".py").strip("/").replace("/", ".").split(".")
    for at, name in enumerate(names):
        place /= name
        if place.is_dir():
            continue
        module = place.with_suffix(".py")
        if not module.exists():
            module, at = place.parent / "__init__.py", at - 1  # noqa: PLW2901
        return all(re.search(rf"\b{word}\b", module.read_text()) for word in names[at + 1 :])
    return True


def test_no_two_files_of_tests_bear_one_name() -> None:
    """Those of folders that are no packages are modules of the same name to pytest."""
    tests = ROOT.parent / "tests"
    names = Counter(
        ("host" if path.parent.name == "host" else "", path.name)
        for path in tests.rglob("test_*.py")
        if not (path.parent / "__init__.py").exists()
    )
    assert [name for (_, name), times in names.items() if times > 1] == []


def test_what_texts_mention_is_there() -> None:
    assert not is_there("core.nowhere")
    assert not is_there("core/files/nowhere.py")
    assert not is_there("controllers.loop.Nothing")
    found = [f"{at}: {name}" for path in PROSE for at, name in mentions(path, MENTIONED)]
    assert len(found) > 100
    assert [one for one in found if not is_there(one.rpartition(": ")[2])] == []


def test_ports_and_keys_have_the_names_that_texts_give_them() -> None:
    ports = {name for name in vars(controllers_ports) if name[0].isupper()}
    named = [(at, name) for path in PROSE for at, name in mentions(path, PORT)]
    assert len(named) > 5
    assert [one for one in named if one[1] not in ports] == []
    kinds = {str(kind) for kind in Kind}
    keys = [
        (at, key)
        for path in PROSE
        for at, some in mentions(path, KEYS)
        for key in re.findall(r"`([a-z-]+)", some)
    ]
    assert len(keys) > 5
    assert [one for one in keys if one[1] not in kinds] == []
