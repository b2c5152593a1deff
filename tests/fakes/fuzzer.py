"""schemathesis, which asks an API whatever its document allows, and what it does not."""

import sys
from pathlib import Path

HERE = Path(__file__).parents[1] / "api"
"""Where its settings and hooks are."""


def command(document: str | Path, *options: str | Path, token: str) -> list[str | Path]:
    """Return what to run: for a document in a file or at an address, as who has the token."""
    settings = HERE / "schemathesis.toml"
    program = (sys.executable, "-m", "schemathesis.cli", "--config-file", settings)
    checks = ("--checks", "all", "--no-color", "-H", f"Authorization: Bearer {token}")
    return [*program, "run", document, *checks, *options]


def environment(hooks: str = "fuzz_hooks") -> dict[str, str]:
    """Return the variables that it needs, with the name of a module of hooks."""
    return {"PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": hooks, "NO_PROXY": "127.0.0.1"}
