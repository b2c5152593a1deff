"""No port without its contract."""

import re
from pathlib import Path
from typing import Protocol

from supervisor.controllers import ports

WITHOUT_FAKE = {"Ledger", "Events", "Documents", "AppliedState"}


def test_every_port_has_a_suite() -> None:
    here = Path(__file__).parent
    imports = re.compile(r"^from supervisor\.controllers\.ports import (.+)$", re.MULTILINE)
    asked = {
        name
        for path in here.glob("test_*.py")
        for names in imports.findall(path.read_text())
        for name in names.split(", ")
    }
    known = {
        name
        for name, one in vars(ports).items()
        if isinstance(one, type) and Protocol in one.__bases__
    }
    assert known - asked == WITHOUT_FAKE
