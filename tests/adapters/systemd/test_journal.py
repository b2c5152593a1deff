"""Which lines of a unit's journal say why it failed, with a journalctl of our own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.adapters.systemd import journal

pytestmark = pytest.mark.anyio
STARTING = ("systemd", "Starting web.service - Web...")
EXITED = ("systemd", "web.service: Main process exited, code=exited, status=125/n/a")
FAILED = ("systemd", "web.service: Failed with result 'exit-code'.")
WHY = ("podman", "Error: cannot listen on 127.0.0.1:80: address in use")

_MAIN = "web.service: Main process exited,"
OOM = "OOMKilled, out of memory"

Says = Callable[..., None]


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    def say(*entries: tuple[str, object], raw: str = "") -> None:
        text = "".join(
            json.dumps({"SYSLOG_IDENTIFIER": by, "MESSAGE": message}) + "\n"
            for by, message in entries
        )
        (tmp_path / "said").write_text(text + raw)
        program = tmp_path / "journalctl"
        program.write_text(f"#!/bin/sh\nexec /bin/cat {tmp_path}/said\n")
        program.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return say


async def told(unit: str, *, ended: bool = False) -> str:
    return str(await journal.last_lines(unit, since=1.0, ended=ended))


async def test_what_podman_says_goes_first(says: Says) -> None:
    says(STARTING, ("web", "12:00 hello"), WHY, EXITED, FAILED, WHY)
    assert await told("web.service") == WHY[1]


async def test_what_podman_hands_on_of_a_helper_is_its_reason(says: Says) -> None:
    pasta = "Error: pasta failed with exit code 1:\nFailed to bind port 80 (Permission denied)\n"
    says(STARTING, ("web", "12:00 hello"), ("podman", pasta), EXITED, FAILED)
    assert await told("web.service") == pasta.strip()


async def test_what_a_program_says_that_fails_in_a_build_is_the_reason(says: Says) -> None:
    denied = "/bin/sh: can't create /srv/x: Permission denied"
    step = 'Error: building at STEP "RUN echo x >/srv/x": while running runtime: exit status 1'
    lines = ("STEP 1/2: FROM scratch", "STEP 2/2: RUN echo x >/srv/x", denied, step)
    says(STARTING, *(("podman", line) for line in lines), EXITED, FAILED)
    assert await told("web-build.service") == f"{denied}\n{step}"
    says(STARTING, *(("podman", line) for line in (lines[0], lines[1], step)), EXITED, FAILED)
    assert await told("web-build.service") == step
    says(STARTING, ("podman", f"[2/2] {lines[1]}"), ("podman", step), EXITED, FAILED)
    assert await told("web-build.service") == step


async def test_a_structure_of_gos_is_left_out_of_what_podman_says(says: Says) -> None:
    options = "UIDMap:[]idtools.IDMap(nil), Strip:{Bits:false, Setuid:false}, " * 4
    error = 'Error: building at STEP "COPY a /b": copier: get: options copier.GetOptions{%s}: stat'
    says(STARTING, ("podman", error % options + " a: no such file"), EXITED, FAILED)
    assert await told("web-build.service") == error % "…" + " a: no such file"


@pytest.mark.parametrize("begun", [False, True], ids=["ended", "begun-again"])
async def test_what_an_earlier_run_said_is_not_why_the_last_one_failed(
    says: Says, *, begun: bool
) -> None:
    def run(name: str, *lines: tuple[str, str]) -> str:
        ids = {"systemd": "USER_INVOCATION_ID", "web": "_SYSTEMD_INVOCATION_ID"}
        return "".join(
            json.dumps({"SYSLOG_IDENTIFIER": by, "MESSAGE": text, ids[by]: name}) + "\n"
            for by, text in lines
        )

    raw = run("1", STARTING, ("web", "Error: port 8095"), EXITED, FAILED)
    raw += run("2", STARTING, ("web", "Error: port 80"), EXITED, FAILED)
    says(raw=raw + (run("3", STARTING) if begun else ""))
    assert await told("web.service") == "Error: port 80"


async def test_of_one_that_runs_again_it_is_told_how_it_ended_and_not_what_it_says_now(
    says: Says,
) -> None:
    def run(name: str, *lines: tuple[str, str]) -> str:
        ids = {"systemd": "USER_INVOCATION_ID", "web": "_SYSTEMD_INVOCATION_ID"}
        return "".join(
            json.dumps({"SYSLOG_IDENTIFIER": by, "MESSAGE": text, ids[by]: name}) + "\n"
            for by, text in lines
        )

    raw = run("1", STARTING, ("web", "Error: port 80"), EXITED, FAILED)
    runs = run("2", STARTING, ("web", "it listens"))
    says(raw=raw + runs)
    assert await told("web.service", ended=True) == "Error: port 80"
    says(raw=runs)
    assert await told("web.service", ended=True) == ""


@pytest.mark.parametrize("said", [(), (("web", "it listens"),)])
async def test_it_is_said_whether_anything_of_the_programs_own_is_there(
    says: Says, said: tuple[tuple[str, str], ...]
) -> None:
    says(STARTING, ("podman", "5577" * 16), *said, EXITED, FAILED)
    ending = await journal.last_lines("web.service", since=1.0, patient=False)
    assert ending.is_bare is not bool(said)
    assert ending.how == "exit status 125"


@pytest.mark.parametrize(
    ("told_of", "has_gap"),
    [
        ((FAILED,), True),
        ((EXITED, FAILED), False),
        (
            (("systemd", "web.service: Control process exited, code=exited, status=1/F"), FAILED),
            False,
        ),
        ((("systemd", "web.service: Failed with result 'start-limit-hit'."),), False),
        ((("systemd", "web.service: Failed with result 'timeout'."),), False),
    ],
)
async def test_what_the_journal_lacks_of_an_end_is_a_sign_that_it_lacks_more(
    says: Says,
    told_of: tuple[tuple[str, str], ...],
    has_gap: bool,  # noqa: FBT001
) -> None:
    says(STARTING, ("web", "line 37494 of 400000"), *told_of)
    ending = await journal.last_lines("web.service", since=1.0, patient=False)
    assert ending.has_gap is has_gap


@pytest.mark.parametrize("said", [(), (("web", "no config"),)], ids=["silent", "with words"])
async def test_a_run_that_ends_with_status_0_has_said_what_it_said(
    says: Says, said: tuple[tuple[str, str], ...]
) -> None:
    """Not what the run before it said, nor systemd's routine."""

    def run(name: str, *lines: tuple[str, str]) -> str:
        ids = {"systemd": "USER_INVOCATION_ID", "web": "_SYSTEMD_INVOCATION_ID"}
        return "".join(
            json.dumps({"SYSLOG_IDENTIFIER": by, "MESSAGE": text, ids[by]: name}) + "\n"
            for by, text in lines
        )

    ended = ("systemd", "web.service: Deactivated successfully.")
    started = ("systemd", "Started web.service - Web.")
    raw = run("1", STARTING, started, ("web", "it listens"), ended)
    says(raw=raw + run("2", STARTING, started, *said, ended))
    assert await told("web.service") == "".join(text for _, text in said)


async def test_of_other_lines_the_last_few_are_taken_once_each(says: Says) -> None:
    says(STARTING, *[("web", text) for text in ("a", "b\nc", " d ", "d", "b")], FAILED)
    assert await told("web.service") == "c\nd\nb"


async def test_systemd_is_heard_where_nobody_else_speaks(says: Says) -> None:
    why = ("systemd", "web.service: Failed to set up mount namespacing: No such file")
    says(STARTING, why, EXITED, FAILED)
    assert await told("web.service") == f"exit status 125: {why[1]}"
    says(STARTING, EXITED, FAILED)
    assert await told("web.service") == "exit status 125"


async def test_what_hinders_a_start_is_not_hidden_behind_systemds_routine(says: Says) -> None:
    why = ("systemd", "web.service: Failed to load environment files: No such file or directory")
    spawn = ("systemd", "web.service: Failed to spawn 'start' task: No such file or directory")
    says(
        STARTING,
        why,
        ("systemd", "web.service: Failed to read pids.max for control group /x, ignoring: No data"),
        spawn,
        FAILED,
        ("systemd", "web.service: Start request repeated too quickly."),
    )
    assert await told("web.service") == why[1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"{_MAIN} code=exited, status=3/NOTIMPLEMENTED", "exit status 3"),
        (f"{_MAIN} code=exited, status=127/n/a", "exit status 127, command not found"),
        (f"{_MAIN} code=exited, status=137/n/a", "exit status 137, killed by SIGKILL"),
        (
            f"{_MAIN} code=exited, status=203/EXEC",
            "exit status 203, EXEC: systemd could not run it",
        ),
        (f"{_MAIN} code=killed, status=11/SEGV", "killed by SIGSEGV, invalid memory access"),
        (
            f"{_MAIN} code=dumped, status=6/ABRT",
            "killed by SIGABRT, aborted by itself, core dumped",
        ),
        ("web.service: A process of this unit has been killed by the OOM killer.", OOM),
        ("web.service: start operation timed out. Terminating.", "its start timed out"),
        ("web.service: Watchdog timeout (limit 1min)!", "its watchdog heard nothing"),
        ("web.service: State 'stop-sigterm' timed out. Killing.", "its stop timed out"),
    ],
)
async def test_how_a_run_ended_goes_before_its_last_words(says: Says, line: str, said: str) -> None:
    says(STARTING, ("web", "no more"), ("systemd", line))
    assert await told("web.service") == f"{said}: no more"


@pytest.mark.parametrize(
    ("exited", "said"),
    [
        ("code=exited, status=137/n/a", OOM),
        ("code=killed, status=9/KILL", OOM),
        ("code=exited, status=1/FAILURE", f"exit status 1, {OOM}"),
    ],
)
async def test_that_the_memory_was_short_says_more_than_the_status(
    says: Says, exited: str, said: str
) -> None:
    """In whichever order systemd tells of them."""
    oom = ("systemd", "web.service: A process of this unit has been killed by the OOM killer.")
    lines = [("web", "no more"), oom, ("systemd", f"{_MAIN} {exited}"), FAILED]
    says(STARTING, *lines)
    assert await told("web.service") == f"{said}: no more"
    says(STARTING, lines[0], lines[2], oom, FAILED)
    assert await told("web.service") == f"{said}: no more"
    says(STARTING, lines[0], WHY, *lines[1:])
    assert (await told("web.service")).endswith(WHY[1])


async def test_what_is_for_a_terminal_is_left_out_and_a_long_line_is_cut(says: Says) -> None:
    title = "\x1b]0;pwned\x07"
    link = "\x1b]8;;http://x\x1b\\here\x1b]8;;\x1b\\"
    says(("web", f"{title}\x1b[31;1mred\x1b[0m \x9b2Jand {link}\x00\x08."), ("web", "x" * 40_000))
    first, second = (await journal.last_lines("web.service", since=1.0)).lines
    assert first == "red and here  ."
    assert second == "x" * 499 + "…"


async def test_what_conmon_warns_of_is_no_reason(says: Says) -> None:
    aside = ("migrate", "conmon 0eec84465998 <nwarn>: Failed to open cgroups file: memory.events")
    says(STARTING, ("migrate", "ERROR: no such relation"), aside, FAILED)
    assert await told("migrate.service") == "ERROR: no such relation"
    says(STARTING, aside)
    assert await told("migrate.service") == ""
    says(STARTING, aside, ("podman", "5577" * 16), ("podman", "migrate"), EXITED, FAILED)
    assert await told("migrate.service") == "exit status 125"


async def test_the_id_that_podman_prints_says_nothing(says: Says) -> None:
    says(STARTING, ("web", "no such table"), ("podman", "5577" * 16), ("podman", "web"), FAILED)
    assert await told("web.service") == "no such table"


async def test_the_name_that_podman_prints_under_the_units_name_says_nothing(says: Says) -> None:
    removed = {"SYSLOG_IDENTIFIER": "web", "_COMM": "podman", "MESSAGE": "web"}
    says(("web", "no such table"), raw=json.dumps(removed) + "\n")
    assert await told("web.service") == "no such table"


async def test_podmans_events_are_no_lines(says: Says) -> None:
    event = {"SYSLOG_IDENTIFIER": "podman", "MESSAGE": "container died", "PODMAN_EVENT": "died"}
    says(("web", "no such table"), raw=json.dumps(event) + "\n")
    assert await told("web.service") == "no such table"


async def test_odd_entries_do_no_harm(says: Says) -> None:
    says(
        ("web", None), ("web", [104, 255, 105]), ("web", [999]), raw='[]\nnot json\n{"MESSAGE": 1}'
    )
    assert await told("web.service") == "h�i"


async def test_a_journal_that_cannot_be_read_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await told("web.service") == ""


def of_container(text: str, run: str = "1") -> str:
    """As conmon writes a line of a container into the journal."""
    return json.dumps(
        {
            "SYSLOG_IDENTIFIER": "web",
            "CONTAINER_NAME": "web-main",
            "MESSAGE": f"{text}\n",
            "_COMM": "conmon",
            "_SYSTEMD_INVOCATION_ID": run,
        }
    )


def of_podman(text: str, run: str = "1", comm: str = "exe") -> str:
    """As what Podman prints gets there: a container's line that it hands on, or its own."""
    return json.dumps(
        {
            "SYSLOG_IDENTIFIER": "web",
            "MESSAGE": text,
            "_COMM": comm,
            "_EXE": "/usr/bin/podman",
            "_TRANSPORT": "stdout",
            "_SYSTEMD_INVOCATION_ID": run,
        }
    )


async def test_a_line_that_podman_hands_on_counts_once(says: Says) -> None:
    """Of a Type=oneshot container each is there twice, in any order."""
    three = ("backing up", "denied", "cannot reach nas")
    mixed = [
        *(of_container(three[0]), of_podman(three[0]), of_podman(three[1]), of_podman(three[2])),
        *(of_container(three[1]), of_container(three[2])),
    ]
    says(STARTING, raw="\n".join(mixed) + "\n")
    assert (await journal.last_lines("web.service", since=1.0)).lines == three


@pytest.mark.parametrize("comm", ["podman", "exe"])
async def test_the_name_of_a_container_is_no_word_of_its_program(says: Says, comm: str) -> None:
    for name in ("systemd-web", "web-main"):
        raw = "\n".join((of_container("no such table"), of_podman(name, comm=comm)))
        says(STARTING, raw=raw + "\n")
        assert await told("web.service") == "no such table"


async def test_what_podman_warns_of_is_no_reason(says: Says) -> None:
    warns = 'time="2026-11-30T10:00:00Z" level=warning msg="Failed to add pause process to scope"'
    its_own = warns.replace("Failed to", "cannot")
    says(raw="\n".join((of_container(its_own), of_podman(warns))) + "\n")
    assert await told("web.service") == its_own


async def test_what_systemd_says_of_every_run_is_said_by_nobody(says: Says) -> None:
    says(
        STARTING,
        ("systemd", "Started web.service - Web."),
        ("systemd", "web.service: Killing process 407 (conmon) with signal SIGKILL."),
        ("systemd", "Failed to read pids.max for control group /x, ignoring: No data available"),
        ("systemd", "web.service: Consumed 1.2s CPU time."),
    )
    assert await told("web.service") == ""
