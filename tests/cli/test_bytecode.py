"""What the service's unit says of Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os
from supervisor.cli.local import bytecode

print("began")
bytecode.prepare("heavy")
import heavy

print(heavy.__doc__, *sorted(name for name in os.environ if name.startswith("PYTHONO")))
"""


@pytest.fixture
def heavy(tmp_path: Path) -> Path:
    """Return the source of a module with a docstring."""
    (tmp_path / "heavy.py").write_text('"""Weighs much."""\n')
    return tmp_path / "heavy.py"


def started(heavy: Path, program: str = PROGRAM, **environment: object) -> list[str]:
    """What a program says that is heavy."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{heavy.parent}",
            "PYTHONUNBUFFERED": "1",  # what is said before it begins anew, too
            **{name: str(value) for name, value in environment.items()},
        },
    )
    assert not done.stderr
    return done.stdout.splitlines()


def test_what_is_new_is_compiled_by_another_process(heavy: Path, tmp_path: Path) -> None:
    unit = {"PYTHONOPTIMIZE": 2, "PYTHONPYCACHEPREFIX": tmp_path / "cache"}
    assert started(heavy, **unit) == ["began", "began", "None"]
    assert started(heavy, **unit) == ["began", "None"]
    assert list((tmp_path / "cache").rglob("heavy.*.opt-2.pyc"))
    os.utime(heavy, (1e9, 1e9))  # another version was installed
    assert started(heavy, **unit) == ["began", "began", "None"]


SMALL = """
import sys, traceback
import heavy

print([one.__annotations__ for one in (heavy.add, heavy.later, heavy.within)])
print(*heavy.Weight.__annotations__)
try:
    heavy.add(1)
except TypeError:
    traceback.print_exc(file=sys.stdout)
"""
HEAVY = """
class Weight:
    kilograms: int

def add(one: Weight, *more: Weight, unit: str = "kg") -> Weight:
    return (
        one
        + more
    )

async def later(one: Weight) -> Weight: ...

try:
    raise OSError
except OSError:
    match 1:
        case 1:
            def within(*more: Weight, **others: Weight) -> Weight: ...
"""


def test_what_nobody_reads_is_left_out_and_all_else_is_as_it_was(
    heavy: Path, tmp_path: Path
) -> None:
    heavy.write_text(HEAVY)
    unit = {"PYTHONOPTIMIZE": 2, "PYTHONPYCACHEPREFIX": tmp_path / "cache"}
    started(heavy, **unit)
    functions, kept, *trace = started(heavy, SMALL, **unit)
    assert functions == "[{}, {}, {}]"
    assert kept == "kilograms"
    assert f'  File "{heavy}", line 7, in add' in trace
    assert trace[-1].startswith("TypeError: ")


OWN = """
import msgspec

class Weight(msgspec.Struct, frozen=True):
    kilograms: int
    unit: "str" = "kg"
    if __debug__ or 1:
        of: tuple["Weight", ...] = ()
"""
TOLD = """
import sys
import msgspec
from supervisor.cli.local import bytecode

bytecode.prepare("heavy")
from heavy import Weight

print(Weight.__annotations__)
print(msgspec.json.decode(b'{"kilograms": 2, "of": [{"kilograms": 1}]}', type=Weight).of[0])
print(Weight.__annotate__ if sys.version_info >= (3, 14) else None)
"""


def test_classes_are_annotated_as_their_source_says(tmp_path: Path) -> None:
    package = tmp_path / "heavy"
    package.mkdir()
    (package / "__init__.py").write_text(OWN)
    unit = {"PYTHONOPTIMIZE": 2, "PYTHONPYCACHEPREFIX": tmp_path / "cache"}
    assert started(package, TOLD, **unit) == [
        "{'kilograms': <class 'int'>, 'unit': 'str', 'of': tuple['Weight', ...]}",
        "Weight(kilograms=1, unit='kg', of=())",
        "None",
    ]


def test_all_of_its_package_is_compiled_before_it_is_needed(tmp_path: Path) -> None:
    package = tmp_path / "heavy"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "later.py").touch()
    unit = {"PYTHONOPTIMIZE": 2, "PYTHONPYCACHEPREFIX": tmp_path / "cache"}
    assert started(package, **unit) == ["began", "began", "None"]
    assert list((tmp_path / "cache").rglob("later.*.opt-2.pyc"))


def test_where_it_cannot_be_kept_python_runs_as_it_is_installed(heavy: Path) -> None:
    unit = {"PYTHONOPTIMIZE": 2, "PYTHONPYCACHEPREFIX": "/dev/null/cache"}
    assert started(heavy, **unit, PYTHONDONTWRITEBYTECODE=1) == ["began", "began", "Weighs much."]


def test_without_such_a_unit_all_is_as_it_is(heavy: Path) -> None:
    assert started(heavy, PYTHONDONTWRITEBYTECODE=1) == ["began", "Weighs much."]


LATER = """
import importlib, sys
from supervisor.cli.fast.run_daemon import LOADED

for name in LOADED:
    importlib.import_module(name)
there = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted(one for one in set(sys.modules) - there if not one.startswith("supervisor.")))
"""


def test_what_is_imported_when_it_is_needed_was_compiled_before() -> None:
    """What others bring: of podvisor itself all is."""
    later = [
        "supervisor.adapters.acme.renewal",
        "supervisor.adapters.certificates.authority",
        "supervisor.adapters.certificates.installed",
        "supervisor.adapters.registry.asking",
        "supervisor.controllers.certificates.standing",
        "supervisor.controllers.operator.images",
        "supervisor.kit.http.pool",
        "supervisor.wiring.image_orders",
    ]
    argv = [sys.executable, "-c", LATER, *later]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == []
