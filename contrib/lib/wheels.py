"""Wheels for a host that has no network: podvisor's own, and those that it needs.

`contrib/host install` asks for them. What comes from a package index is kept in the cache.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

_TRIES = 3  # an index has its moments
_PAUSE_SECONDS = 10


class Failed(Exception):
    """A tool ended with an error; the text holds all that it said."""


def pip_of(root: Path) -> Path:
    """The pip that a root carries, as a wheel that its Python can run."""
    return next((root / "usr/share/python-wheels").glob("pip-*.whl")) / "pip"


def name_of(root: Path) -> str:
    """Which Python and machine a root is for: wheels for one serve no other."""
    return f"{(root / 'usr/bin/python3').readlink().name}-{platform.machine()}"


def run_python(root: Path, *argv: str | Path, **more: Path) -> None:
    """Run the Python of a root outside of it: with the machine's network and pip settings."""
    libraries = root / f"usr/lib/{platform.machine()}-linux-gnu"
    # Not that of lib64, which can be an absolute link, and lead to the machine's own.
    loader = next(libraries.glob("ld-linux*.so.*"))
    python = root / "usr/bin" / (root / "usr/bin/python3").readlink().name
    _run(loader, "--library-path", libraries, python, *argv, PYTHONHOME=root / "usr", **more)


def build(source: Path, out: Path, *, root: Path, cache: Path) -> Path:
    """Build the wheel of a checkout."""
    if not (source / "pyproject.toml").is_file():
        sys.exit(f"host: cannot install {source}: it is neither a wheel nor a checkout")

    def fetch(new: Path) -> None:
        run_python(root, pip_of(root), "install", "--target", new, "hatchling")

    tools = _kept(cache / "build-tools" / name_of(root), fetch)
    words = ["-m", "hatchling", "build", "--target", "wheel", "--directory", out]
    try:
        run_python(root, *words, cwd=source, PYTHONPATH=tools)
    except Failed as error:
        sys.exit(f"host: cannot build {source}: {error}")
    return next(out.glob("*.whl"))


def needed_by(wheel: Path, extras: list[str], *, root: Path, cache: Path) -> Path:
    """A folder with all wheels that this one needs, for the Python of a root.

    It is that Python which asks: it alone knows which tags and markers are right for it.
    """
    with zipfile.ZipFile(wheel) as archive:
        entry = next(item for item in archive.namelist() if item.endswith(".dist-info/METADATA"))
        metadata = archive.read(entry).decode()
    needs = sorted(re.findall(r"^Requires-(?:Dist|Python): .+$", metadata, re.MULTILINE))
    key = hashlib.sha256("\n".join([*needs, *sorted(extras)]).encode()).hexdigest()[:16]

    def fetch(new: Path) -> None:
        what = f"{wheel}[{','.join(extras)}]" if extras else wheel
        words = ["download", "--only-binary=:all:", "--dest", new]
        run_python(root, pip_of(root), *words, what)
        (new / wheel.name).unlink()

    return _kept(cache / "wheels" / f"{name_of(root)}-{key}", fetch)


def named(requirements: list[str], *, root: Path, cache: Path) -> Path:
    """A folder with the wheels of these projects and of all that they need."""
    key = hashlib.sha256("\n".join(sorted(requirements)).encode()).hexdigest()[:16]

    def fetch(new: Path) -> None:
        words = ["download", "--only-binary=:all:", "--dest", new]
        run_python(root, pip_of(root), *words, *requirements)

    return _kept(cache / "wheels" / f"{name_of(root)}-{key}", fetch)


def _kept(folder: Path, fetch: Callable[[Path], None]) -> Path:
    """A folder of the cache, filled if need be; one that is there is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not folder.is_dir():
            new = folder.parent / ".new"
            for tries_left in reversed(range(_TRIES)):
                shutil.rmtree(new, ignore_errors=True)
                try:
                    fetch(new)
                except Failed as error:
                    if not tries_left:
                        sys.exit(f"host: cannot install: {error}")
                    print(f"host: trying again: {str(error).splitlines()[-1]}", file=sys.stderr)
                    time.sleep(_PAUSE_SECONDS)
                else:
                    break
            new.rename(folder)
    finally:
        os.close(descriptor)
    return folder


def _run(*argv: str | Path, cwd: Path | None = None, **variables: Path) -> None:
    """Run a Python tool; what it prints is shown only when it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=environment | {key: str(value) for key, value in variables.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        words = " ".join(str(word) for word in argv)
        raise Failed(f"{words} ended with {done.returncode}\n{done.stdout}".strip())
