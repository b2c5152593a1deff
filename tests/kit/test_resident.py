"""What stays resident of programs and libraries: nothing that has to be kept is lost."""

import subprocess
import sys
from pathlib import Path

from supervisor.kit.resident import unwritten

ROOT = Path(__file__).parents[2]
SMAPS = b"""\
5600-5800 r--p 00000000 00:29 11        /usr/bin/python3
Rss:                 8 kB
Anonymous:           0 kB
VmFlags: rd mr mw me sd
5800-5c00 r-xp 00001000 00:29 11        /usr/bin/python3
Rss:                 8 kB
Anonymous:           0 kB
VmFlags: rd ex mr mw me sd
5c00-5d00 r--p 00003000 00:29 11        /usr/bin/python3
Rss:                 8 kB
Anonymous:           8 kB
VmFlags: rd mr mw me ac sd
5d00-5e00 rw-p 00004000 00:29 11        /usr/bin/python3
Rss:                 0 kB
Anonymous:           0 kB
6000-6200 rw-p 00000000 00:00 0         [heap]
Anonymous:           0 kB
6400-6600 r--p 00000000 00:29 12        /usr/lib/locale/C.utf8/LC_CTYPE
Anonymous:           0 kB
6800-6a00 r-xp 00000000 00:00 0
Anonymous:           0 kB
7000-7200 r-xp 00000000 00:29 13        /opt/with space/lib.so (deleted)
Anonymous:           0 kB
7200-7400 r--s 00000000 00:29 13        /opt/with space/lib.so (deleted)
Anonymous:           0 kB
7400-7600 r-xp 00000000 00:00 0         [vdso]
Anonymous:           0 kB
"""
PROGRAM = """
import ssl, sqlite3, sys
from supervisor.kit.own_usage import resident_bytes
from supervisor.kit.resident import ResidentSet

kept = bytearray(b"x" * 1_000_000)
before = resident_bytes()
resident = ResidentSet()
resident.trim()
after = resident_bytes()
resident.trim()  # nothing has grown: nothing is done
assert sqlite3.connect(":memory:").execute("select lower('A')").fetchall() == [("a",)]
assert ssl.create_default_context().check_hostname
assert kept == b"x" * 1_000_000
print(before - after)
"""


def test_only_what_is_as_its_file_has_it_is_taken_out() -> None:
    assert unwritten(SMAPS) == [(0x5600, 0x600), (0x7000, 0x200)]
    assert unwritten(b"") == []


def test_a_process_goes_on_with_less() -> None:
    argv = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=ROOT)
    assert int(done.stdout) > 1 << 20
