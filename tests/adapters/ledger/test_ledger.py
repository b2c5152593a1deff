import os
import resource
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.adapters.ledger.reader import known_apps, names, plain_documents
from supervisor.adapters.ledger.rows import read_documents, read_events
from supervisor.adapters.ledger.schema import MIGRATIONS, open_for_writing, reading
from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.controllers.ports import Ledger
from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventKind, EventQuery
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.observed import AppliedApp, RepairState, UnitInputs
from supervisor.model.rollout import Hold, Outcome, Rollout
from supervisor.model.secret import SecretsMade
from supervisor.model.setting_types import Bytes, Seconds
from supervisor.model.settings import LedgerSettings
from supervisor.model.source import TreeFile
from tests.examples import scaled

NOW = 1_700_000_000.0
DAY = 86_400.0


class StillClock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time


Open = Callable[..., SqliteLedger]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "podvisor" / "ledger.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Open]:
    ledgers: list[SqliteLedger] = []

    def open_one(settings: LedgerSettings | None = None) -> SqliteLedger:
        for ledger in ledgers:
            ledger.close()
        settings = settings or LedgerSettings()
        ledgers.append(SqliteLedger(path, settings=settings, clock=StillClock()))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()


def step(number: int = 0, **words: object) -> Event:
    return Event(**{"time": NOW + number, "kind": EventKind.STEP, "step": "start", **words})


def app(name: str = "web", revision: str = "r1", **units: str) -> AppliedApp:
    return AppliedApp(
        name=name,
        source="main",
        revision=revision,
        content=f"{name} at {revision}",
        applied_at=NOW,
        units={f"{unit}.service": UnitInputs(digest=digest) for unit, digest in units.items()},
    )


def hold(revision: str) -> Hold:
    return Hold(app="web", release="1", revision=revision, instead_of="r9", at=NOW)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow, as on a disk without room."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_serves_the_port(opened: Open) -> None:
    ledger: Ledger = opened()
    assert ledger.problem() == ""


def test_is_private_and_survives_a_power_cut(opened: Open, path: Path) -> None:
    opened().append(step())
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir()} > {"ledger.db", "ledger.db-wal"}


def test_keeps_the_event_log(opened: Open) -> None:
    ledger = opened()
    written = [
        ledger.append(step(1, app="web", unit="web.service", reason="changed")),
        ledger.append(step(2, app="db", unit="db.service", ok=False, detail="no such image")),
        ledger.append(step(3, app="web", unit="cache.service", subject="x", revision="r1")),
    ]
    assert [event.id for event in written] == [1, 2, 3]
    for reader in (ledger, opened()):
        assert reader.events() == written
        assert reader.events(EventQuery(after_id=1)) == written[1:]
        assert reader.events(EventQuery(since=NOW + 2)) == written[1:]
        assert reader.events(EventQuery(app="web")) == [written[0], written[2]]
        assert reader.events(EventQuery(unit="db.service")) == [written[1]]
        assert reader.events(EventQuery(limit=2)) == written[1:]
        assert reader.events(EventQuery(app="web", limit=1)) == [written[2]]
        assert reader.events(EventQuery(app="other")) == []
        assert reader.events(EventQuery(code="step-start-failed")) == [written[1]]


def test_reads_the_event_log_by_pages_and_spans(opened: Open) -> None:
    ledger = opened()
    written = [ledger.append(step(moment, ok=moment != 3)) for moment in range(1, 6)]
    for reader in (ledger, opened()):
        assert reader.events(EventQuery(before_id=3)) == written[:2]
        assert reader.events(EventQuery(before_id=5, limit=2)) == written[2:4]
        assert reader.events(EventQuery(after_id=0, limit=2)) == written[:2]
        assert reader.events(EventQuery(after_id=2, limit=2)) == written[2:4]
        assert reader.events(EventQuery(after_id=0, limit=2, follow=True)) == written[3:]
        assert reader.events(EventQuery(after_id=1, before_id=4)) == written[1:3]
        assert reader.events(EventQuery(since=NOW + 2, until=NOW + 4)) == written[1:3]
        assert reader.events(EventQuery(until=0.0)) == []
        assert reader.events(EventQuery(failed=True)) == [written[2]]


def test_pages_of_a_long_event_log_are_read_fast(opened: Open) -> None:
    ledger = opened()
    ledger.append(step(1, app="rare", ok=False))
    rows = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
        "INSERT INTO events (time, kind, ok, app, unit, source, revision, step, subject, reason, "
        "detail, code) SELECT time + i, kind, 1, 'web', unit, source, revision, step, subject, "
        "reason, detail, 'step-start' FROM events, n"
    )
    ledger._connection.execute(rows)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    for query in (
        EventQuery(limit=100),
        EventQuery(before_id=50_000, limit=100),
        EventQuery(after_id=50_000, limit=100),
        EventQuery(app="rare", limit=100),
        EventQuery(code="step-start-failed", limit=100),
    ):
        steps = 0
        ledger._connection.set_progress_handler(count, 100)
        assert ledger.events(query)
        ledger._connection.set_progress_handler(None, 0)
        assert steps < 100, query


def test_where_the_newest_entries_begin(opened: Open) -> None:
    ledger = opened()
    written = [ledger.append(step(moment, ok=moment != 3)) for moment in range(1, 6)]
    for query, first in (
        (EventQuery(limit=2), written[3].id),
        (EventQuery(limit=5), written[0].id),
        (EventQuery(limit=6), 0),
        (EventQuery(limit=1, failed=True), written[2].id),
        (EventQuery(limit=1, until=NOW + 2), written[0].id),
    ):
        assert ledger.first_of_newest(query) == first


def test_what_is_not_written_yet_is_on_the_last_page(opened: Open) -> None:
    ledger = opened()
    written = [ledger.append(step(moment)) for moment in range(1, 4)]
    with full_disk():
        ledger.append(step(4))
        pages = [ledger.events(EventQuery(after_id=id_, limit=2)) for id_ in (0, written[1].id)]
    assert pages[0] == written[:2]
    assert pages[1][0] == written[2]
    assert [one.time for one in pages[1] if one.kind is EventKind.STEP][1:] == [NOW + 4]


def test_tells_listeners_until_they_have_enough(opened: Open) -> None:
    ledger, heard = opened(), []
    stop = ledger.subscribe(heard.append)
    entry = ledger.append(step())
    stop()
    stop()
    ledger.append(step())
    assert heard == [entry]


def test_loses_nothing_of_much_that_belongs_together(opened: Open) -> None:
    ledger = opened()
    heard: list[int] = []
    ledger.subscribe(lambda event: heard.append(event.id))
    with ledger.together():
        for number in range(2_500):
            ledger.log(EventKind.STEP, step="start", unit=f"u{number}.service")
    assert [one.unit for one in ledger.events()] == [f"u{n}.service" for n in range(2_500)]
    assert heard == [one.id for one in ledger.events()]


def test_writes_together_what_belongs_together(opened: Open, path: Path) -> None:
    ledger, heard = opened(), []
    ledger.subscribe(heard.append)

    def written() -> tuple[int, int]:
        with reading(path) as file:
            return len(read_events(file)), len(read_documents(file, AppliedApp))

    with ledger.together():
        assert ledger.append(step(1)).id == 0
        ledger.put_applied(app())
        with ledger.together():
            ledger.append(step(2))
        assert ledger.applied() == {"web": app()}
        assert written() == (0, 0)
        assert heard == []
    assert written() == (2, 1)
    assert [event.id for event in heard] == [1, 2]

    def break_off() -> None:
        with ledger.together():
            ledger.append(step(3))
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        break_off()
    assert written() == (3, 1)


def test_remembers_what_is_applied(opened: Open) -> None:
    ledger = opened()
    ledger.put_applied(app("web", web="d1", cache="d2"))
    ledger.put_applied(app("old", old="d1"))
    ledger.put_unit("web", "web.service", UnitInputs(digest="d3", files={"a": "1"}, generator="5"))
    ledger.drop_app("old")
    ledger.drop_app("never")
    ledger.put_applied(app("db", db="d1"))
    ledger.put_applied(app("db", "r2", sql="d1"))
    for reader in (ledger, opened()):
        applied = reader.applied()
        assert set(applied) == {"web", "db"}
        assert applied["web"].units == {
            "web.service": UnitInputs(digest="d3", files={"a": "1"}, generator="5"),
            "cache.service": UnitInputs(digest="d2"),
        }
        assert applied["db"] == app("db", "r2", sql="d1")


def test_a_unit_is_recorded_under_the_app_that_had_it_last(opened: Open) -> None:
    ledger = opened()
    ledger.put_applied(app("web", web="d1", cache="d2"))
    ledger.put_unit("cache", "cache.service", UnitInputs(digest="d2"))
    for reader in (ledger, opened()):
        applied = reader.applied()
        assert applied["web"] == app("web", web="d1")
        assert applied["cache"].units == {"cache.service": UnitInputs(digest="d2")}


def test_units_are_recorded_together_under_the_app_that_had_them_last(opened: Open) -> None:
    ledger = opened()
    ledger.put_applied(app("web", web="d1", cache="d2", queue="d3"))
    ledger.put_applied(app("db", db="d4"))
    moved = {"cache.service": UnitInputs(digest="d5"), "queue.service": UnitInputs(digest="d6")}
    ledger.put_units("cache", moved)
    for reader in (ledger, opened()):
        applied = reader.applied()
        assert applied["web"] == app("web", web="d1")
        assert applied["db"] == app("db", db="d4")
        assert applied["cache"].units == moved


def test_a_first_pass_that_was_cut_short_leaves_units_without_a_revision(opened: Open) -> None:
    opened().put_unit("web", "web.service", UnitInputs(digest="d1"))
    (unfinished,) = opened().applied().values()
    assert unfinished.revision == ""
    assert unfinished.units == {"web.service": UnitInputs(digest="d1")}


def test_remembers_repairs_and_documents(opened: Open) -> None:
    ledger = opened()
    failing = RepairState(unit="web.service", failures=3, last_at=NOW, next_at=NOW + 60)
    well = RepairState(unit="db.service")
    ledger.put_repairs([failing, well, RepairState(unit="x.service", failures=1)])
    ledger.put_repairs([RepairState(unit="x.service")])
    ledger.put(hold("r1"), "web")
    ledger.put(hold("r2"), "web")
    ledger.put(hold("r1"), "gone")
    ledger.drop(Hold, "gone")
    ledger.drop(Hold, "never")
    ledger.put(SecretsMade())
    for reader in (ledger, opened()):
        assert reader.repairs() == {"web.service": failing}
        assert reader.get(Hold, "web") == hold("r2")
        assert reader.get(Hold, "gone") is None
        assert reader.all(Hold) == {"web": hold("r2")}
        assert reader.get(SecretsMade) == SecretsMade()


def test_any_text_can_be_logged(opened: Open) -> None:
    ledger = opened()
    entry = ledger.append(step(app="\udcff", reason="é\0", detail="x" * 100_000))
    assert entry.id == 1
    assert entry.app == "\\udcff"
    assert len(entry.detail) < 10_000
    assert opened().events() == [entry]


class TestRetention:
    def test_removes_what_is_too_old(self, opened: Open) -> None:
        ledger = opened(LedgerSettings(keep_age=Seconds(DAY)))
        for number in range(3_000):
            ledger.append(step(-2 * DAY if number < 2_500 else -number / 1_000))
        for number in range(600):
            ledger.append(step(number))
        assert min(event.time for event in ledger.events()) > NOW - DAY
        assert len(ledger.events()) == 1_100

    def test_keeps_entries_of_a_clock_that_was_not_set(self, opened: Open) -> None:
        ledger = opened()
        ledger.append(step(0))
        unset = ledger.append(step(time=12.0))
        for number in range(600):
            ledger.append(step(number))
        assert unset in ledger.events()

    def test_removes_the_oldest_when_it_grows_too_large(self, opened: Open, path: Path) -> None:
        ledger = opened(LedgerSettings(keep_size=Bytes(1 << 20)))
        for number in range(6_000):
            ledger.append(step(number, detail="x" * 400))
        kept = ledger.events()
        assert 500 < len(kept) < 4_000
        assert [event.id for event in kept] == list(range(6_001 - len(kept), 6_001))
        opened().close()
        assert path.stat().st_size < 2 << 20

    def test_other_limits_count_from_the_next_entry_on(self, opened: Open) -> None:
        ledger = opened()
        ledger.append(step(-5 * DAY))
        ledger.configure(LedgerSettings(keep_age=Seconds(DAY)))
        kept = ledger.append(step())
        assert ledger.events() == [kept]


class TestFullDisk:
    def test_remembers_and_writes_when_there_is_room(self, opened: Open) -> None:
        ledger, heard = opened(), []
        ledger.append(step())
        ledger.subscribe(heard.append)
        with full_disk():
            entry = ledger.append(step(1, detail="x" * 5_000))
            assert entry.id == 0
            ledger.put_applied(app("web", web="d1"))
            ledger.put_unit("web", "web.service", UnitInputs(digest="d2"))
            ledger.put(hold("r1"), "web")
            ledger.put_repairs([RepairState(unit="web.service", failures=1)])
            assert "ledger.db: " in ledger.problem()
            assert ledger.applied()["web"].units["web.service"].digest == "d2"
            assert [event.kind for event in ledger.events(EventQuery(since=NOW))] == [
                EventKind.STEP,
                EventKind.STEP,
                EventKind.ERROR,
            ]
            assert [event.kind for event in heard] == [EventKind.STEP, EventKind.ERROR]
        after = ledger.append(step(2))
        assert after.id == 4
        assert ledger.problem() == ""
        events = opened().events()
        assert [event.id for event in events] == [1, 2, 3, 4, 5]
        assert [event.kind for event in events][2:] == [
            EventKind.ERROR,
            EventKind.STEP,
            EventKind.RECOVERED,
        ]
        reopened = opened()
        assert reopened.applied()["web"].units["web.service"].digest == "d2"
        assert reopened.get(Hold, "web") == hold("r1")
        assert reopened.repairs()["web.service"].failures == 1

    def test_keeps_no_more_than_a_bounded_number(self, opened: Open) -> None:
        ledger = opened()
        with full_disk():
            for number in range(1_200):
                ledger.append(step(number))
            assert len(ledger.events()) == 1_000
        ledger.append(step())
        assert "could not be kept" in opened().events()[-1].detail

    def test_a_ledger_that_cannot_be_made_is_made_later(self, opened: Open, path: Path) -> None:
        path.parent.write_text("in the way")
        ledger = opened()
        assert str(path) in ledger.problem()
        ledger.put_unit("web", "web.service", UnitInputs(digest="d1"))
        path.parent.unlink()
        ledger.put_applied(app("web", web="d1"))
        assert ledger.problem() == ""
        assert opened().applied() == {"web": app("web", web="d1")}

    def test_what_was_put_before_the_file_could_be_read_is_merged(
        self, opened: Open, path: Path
    ) -> None:
        opened().put_applied(app("web", web="d1", cache="d1"))
        opened().close()
        path.parent.rename(path.parent.with_name("away"))
        path.parent.write_text("in the way")
        ledger = SqliteLedger(path, settings=LedgerSettings(), clock=StillClock())
        ledger.put_unit("web", "web.service", UnitInputs(digest="d2"))
        assert ledger.applied()["web"].revision == "", "as far as that is known"
        path.parent.unlink()
        path.parent.with_name("away").rename(path.parent)
        ledger.put(hold("r1"), "db")
        assert ledger.applied() == {"web": app("web", web="d2", cache="d1")}
        ledger.close()
        assert opened().applied() == {"web": app("web", web="d2", cache="d1")}

    def test_an_app_that_was_applied_before_the_file_could_be_read_counts_as_a_whole(
        self, opened: Open, path: Path
    ) -> None:
        opened().put_applied(app("web", web="d1", cache="d1"))
        opened().close()
        path.parent.rename(path.parent.with_name("away"))
        path.parent.write_text("in the way")
        ledger = SqliteLedger(path, settings=LedgerSettings(), clock=StillClock())
        ledger.put_applied(app("web", "r2", web="d2"))
        path.parent.unlink()
        path.parent.with_name("away").rename(path.parent)
        ledger.append(step())
        assert ledger.applied() == {"web": app("web", "r2", web="d2")}
        ledger.close()
        assert opened().applied() == {"web": app("web", "r2", web="d2")}

    def test_a_reader_that_holds_the_file_is_no_disaster(self, opened: Open, path: Path) -> None:
        ledger = opened()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert ledger.append(step()).id == 0
        assert "locked" in ledger.problem()
        other.execute("COMMIT")
        other.close()
        assert ledger.append(step()).id > 0

    def test_that_there_is_room_again_is_nobodys_order(self, opened: Open) -> None:
        ledger = opened()
        token = ORDERED_BY.set("pi")
        try:
            with full_disk():
                ledger.append(step(1, detail="x" * 5_000))
            ledger.log(EventKind.RESUMED, app="web")
        finally:
            ORDERED_BY.reset(token)
        said = {one.reason: one.by for one in ledger.events()}
        (trouble,) = [reason for reason in said if reason.startswith("cannot write the ledger: /")]
        assert trouble.count("cannot write") == 1
        assert said["the ledger can be written again"] == said[trouble] == ""
        assert said[""] == "pi"


class TestDamage:
    def test_a_damaged_file_is_moved_aside_at_start(self, opened: Open, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"this is not SQLite" * 1_000)
        ledger = opened()
        assert ledger.problem() == ""
        (event,) = ledger.events()
        assert event.kind is EventKind.ERROR
        assert not event.ok
        assert event.reason.startswith("the ledger was damaged and was begun anew: the event log")
        assert not event.by
        kept = path.with_name("ledger.db.corrupt-20231114T221320Z")
        assert str(kept) in event.detail
        assert kept.read_bytes().startswith(b"this is not SQLite")

    def test_what_people_ordered_is_taken_over_from_whatever_can_be_read(
        self, opened: Open, path: Path
    ) -> None:
        ledger = opened()
        with ledger.together():
            for number in range(300):
                ledger.put(hold(f"r{number:03}"), f"app{number:03}")
                ledger.put_applied(app(f"app{number:03}", web="d1"))
        ledger.close()
        content = path.read_bytes()
        page = content.index(b"holdapp150") // 4096 * 4096
        path.write_bytes(content[:page] + os.urandom(4096) + content[page + 4096 :])
        ledger = opened()
        assert ledger.problem() == ""
        held = ledger.all(Hold)
        assert {"app000", "app299"} <= held.keys()
        assert 200 < len(held) < 300
        assert all(one == hold(f"r{name.removeprefix('app')}") for name, one in held.items())
        assert len(ledger.applied()) == 300
        (loss,) = ledger.losses()
        assert not loss.whole
        assert "maybe some of what people ordered" in loss.text
        assert ledger.events()[-1].reason == loss.text
        # It is in the new file, and told until a person has removed the old one.
        ledger = opened()
        assert ledger.all(Hold) == held
        assert ledger.losses() == (loss,)
        Path(loss.file).unlink()
        assert ledger.losses() == ()
        assert opened().losses() == ()

    def test_of_a_file_of_which_nothing_can_be_read_that_is_said(
        self, opened: Open, path: Path
    ) -> None:
        path.parent.mkdir()
        path.write_bytes(b"this is not SQLite" * 1_000)
        (loss,) = opened().losses()
        assert (loss.whole, loss.taken_over) == (False, 0)
        assert "and with it what people ordered" in loss.text

    @given(st.data())
    @settings(max_examples=scaled(30), deadline=None)
    def test_whatever_is_damaged_it_begins_and_nothing_is_made_up(self, data: Any) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "ledger.db"
            ledger = SqliteLedger(path, settings=LedgerSettings(), clock=StillClock())
            with ledger.together():
                for number in range(60):
                    ledger.put(hold(f"r{number}"), f"app{number}")
            for number in range(20):
                ledger.append(step(number, detail="x" * 500))
            ledger.close()
            content = bytearray(path.read_bytes())
            pages = st.integers(0, len(content) // 4096 - 1)
            for page in data.draw(st.lists(pages, min_size=1, max_size=4)):
                junk = data.draw(st.sampled_from([bytes(4096), b"\xff" * 4096, content[:4096]]))
                content[page * 4096 : page * 4096 + 4096] = junk
            path.write_bytes(content)
            ledger = SqliteLedger(path, settings=LedgerSettings(), clock=StillClock())
            held = ledger.all(Hold)
            ledger.append(step())
            ledger.events()
            assert ledger.problem() == ""
            ledger.close()
            assert all(one == hold(f"r{name.removeprefix('app')}") for name, one in held.items())

    @pytest.mark.parametrize("touch", ["append", "events"])
    def test_damage_while_it_runs_loses_only_the_log(
        self, opened: Open, path: Path, touch: str
    ) -> None:
        ledger = opened()
        ledger.put_applied(app("web", web="d1"))
        ledger.put(hold("r1"), "web")
        for number in range(300):
            ledger.append(step(number, detail="x" * 500))
        ledger.close()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(path.stat().st_size - 4096))
        if touch == "append":
            assert ledger.append(step()).id == 1
        else:
            ledger.events()
        assert ledger.problem() == ""
        assert "begun anew" in ledger.events()[-1].reason
        assert len(list(path.parent.glob("ledger.db.corrupt-*"))) == 1
        reopened = opened()
        assert reopened.applied() == {"web": app("web", web="d1")}
        assert reopened.get(Hold, "web") == hold("r1")

    def test_a_newer_file_with_more_in_it_is_used_and_kept(self, opened: Open, path: Path) -> None:
        ledger = opened()
        ledger.put_applied(app("web", web="d1"))
        ledger.append(step(app="web"))
        ledger.close()
        newer = len(MIGRATIONS) + 1
        with sqlite3.connect(path) as connection:
            connection.executescript(
                f"PRAGMA user_version={newer};"
                "ALTER TABLE documents ADD COLUMN mood TEXT NOT NULL DEFAULT 'well';"
                "CREATE TABLE moods (name TEXT);"
            )
            connection.execute("INSERT INTO moods VALUES ('well')")
        connection.close()
        ledger = opened()
        assert ledger.applied() == {"web": app("web", web="d1")}
        ledger.put_applied(app("db", db="d2"))
        ledger.close()
        with reading(path) as file:
            assert read_documents(file, AppliedApp).keys() == {"web", "db"}
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (newer,)
            assert connection.execute("SELECT * FROM moods").fetchall() == [("well",)]
        connection.close()

    def test_an_older_file_is_brought_up_to_date_and_keeps_its_log(
        self, opened: Open, path: Path
    ) -> None:
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.executescript(
                f"{MIGRATIONS[0]}; CREATE TABLE notes (key, text); PRAGMA user_version=1;"
            )
            connection.execute(
                "INSERT INTO events VALUES (7, 1.0, 'step', 1, '', '', '', '', '', '', '', '')"
            )
        connection.close()
        ledger = opened()
        ledger.put_applied(app("web", web="d1"))
        assert [event.id for event in ledger.events()] == [7]
        assert opened().applied() == {"web": app("web", web="d1")}

    @pytest.mark.parametrize(
        "change",
        [
            "ALTER TABLE events DROP COLUMN detail",
            "DROP TABLE documents",
            "DROP TABLE documents; CREATE TABLE documents (kind, key, part, content, x NOT NULL)",
        ],
    )
    def test_a_newer_file_that_is_too_different_is_left_alone(
        self, opened: Open, path: Path, change: str
    ) -> None:
        opened().close()
        with sqlite3.connect(path) as connection:
            connection.executescript(f"PRAGMA user_version={len(MIGRATIONS) + 1}; {change}")
        connection.close()
        with pytest.raises(Stalled, match="was written by a newer podvisor") as raised:
            opened()
        assert "upgrade podvisor" in raised.value.hint
        with pytest.raises(Stalled, match="newer podvisor"), reading(path):
            pass

    def test_what_a_newer_podvisor_wrote_is_read_as_far_as_it_is_known(
        self, opened: Open, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger = opened()
        ledger.put_applied(app("web", web="d1", db="d2"))
        ledger.put_rollout(rollout("r1", 1.0))
        ledger.put_rollout(rollout("r2", 2.0))
        ledger.append(step(app="web"))
        ledger.close()
        with sqlite3.connect(path) as connection:
            for key, value, part in (
                ("$.mood", "well", "web.service"),
                ("$.digest", 7, "db.service"),
                ("$.outcome", "mellow", "r2"),
            ):
                connection.execute(
                    "UPDATE documents SET content ="
                    " CAST(json_set(CAST(content AS TEXT), ?, ?) AS BLOB) WHERE part = ?",
                    (key, value, part),
                )
            connection.execute("INSERT INTO documents VALUES ('mood', 'web', '', x'7B7D')")
            connection.execute("UPDATE events SET kind = 'mood'")
        connection.close()
        ledger = opened()
        assert ledger.applied() == {"web": app("web", web="d1")}
        assert [one.revision for one in ledger.rollouts("web")] == ["r1"]
        assert ledger.events() == []
        ledger.put_rollout(rollout("r3", 3.0))
        ledger.close()
        with sqlite3.connect(path) as connection:
            found = connection.execute("SELECT kind, part FROM documents").fetchall()
        connection.close()
        kept = {("unit", "db.service"), ("rollout", "r2"), ("mood", "")}
        assert kept <= set(found), "what it could not read is still there"
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 2
        assert all(what in "".join(said) for what in ("unit web db.service", "rollout web r2"))


class TestReadOnly:
    def test_reads_beside_the_daemon_and_after_it(self, opened: Open, path: Path) -> None:
        ledger = opened()
        ledger.append(step(app="web"))
        ledger.put_applied(app("web", web="d1"))
        ledger.put(hold("r1"), "web")
        ledger.put_repairs([RepairState(unit="web.service", failures=1)])
        events, applied, repairs = ledger.events(), ledger.applied(), ledger.repairs()
        for files in (3, 1):
            assert len(list(path.parent.iterdir())) == files
            with reading(path) as file:
                assert read_events(file, EventQuery(app="web", limit=5)) == events
                assert read_documents(file, Hold) == {"web": {"": hold("r1")}}
                plain = plain_documents(file, "repair")
                assert (
                    msgspec.convert(plain["web.service"][""], RepairState)
                    == (repairs["web.service"])
                )
            copy = SqliteLedger(
                path.with_name(f"copy-{files}") / "ledger.db",
                settings=LedgerSettings(),
                clock=StillClock(),
            )
            copy.take(path)
            assert (copy.applied(), copy.repairs(), copy.events()) == (applied, repairs, [])
            copy.close()
            shutil.rmtree(path.with_name(f"copy-{files}"))
            assert len(list(path.parent.iterdir())) == files
            ledger.close()

    def test_of_a_file_that_is_damaged_half_way_nothing_is_taken(
        self, opened: Open, path: Path
    ) -> None:
        ledger = opened()
        with ledger.together():
            for number in range(200):
                ledger.put_applied(app(f"a{number}"))
            ledger.put_repairs(RepairState(unit=f"u{n}", failures=1) for n in range(200))
        ledger.put_repairs([RepairState(unit="z.service", failures=1)])
        ledger.close()
        content = path.read_bytes()
        page = content.index(b"repairz.service") // 4096 * 4096
        path.write_bytes(content[:page] + bytes(4096) + content[page + 4096 :])
        with reading(path) as file:
            assert len(read_documents(file, AppliedApp)) == 200, "these can be read"
        settings, other = LedgerSettings(), path.with_name("copy.db")
        copy = SqliteLedger(other, settings=settings, clock=StillClock())
        with pytest.raises(Stalled, match=f"cannot read the ledger {path}"):
            copy.take(path)
        assert (copy.applied(), copy.problem()) == ({}, "")
        copy.close()

    def test_names_are_read_without_what_stands_under_them(self, opened: Open, path: Path) -> None:
        ledger = opened()
        ledger.put_applied(app("web", web="1", db="2"))
        ledger.put_applied(app("other"))
        ledger.put_unit("begun", "x.service", UnitInputs(digest="3"))
        ledger.put(hold("r1"), "web")
        ledger.put_rollout(msgspec.structs.replace(rollout("r1", 1.0), name="tried"))
        wrong = Incident(code=IncidentCode.APP_FAILING, app="ailing", text="")
        ledger.put(wrong, wrong.key)
        ledger.put(Incident(code=IncidentCode.HOST_UNFIT, text=""), "host-unfit//")
        assert ledger.tried() == {"tried"}
        with reading(path) as file:
            assert names(file, "applied") == {"other": [""], "web": [""]}
            units = {"begun": ["x.service"], "web": ["db.service", "web.service"]}
            assert names(file, "unit") == units
            assert known_apps(file) == {"other", "web", "begun", "tried", "ailing"}
            assert plain_documents(file, "applied", "web").keys() == {"web"}
            assert read_documents(file, UnitInputs, "begun").keys() == {"begun"}
            assert read_documents(file, Hold, "other") == {}

    def test_what_is_not_there_is_empty_and_is_not_made(self, path: Path) -> None:
        with reading(path) as file:
            assert read_events(file) == []
            assert read_documents(file, AppliedApp) == {}
            assert plain_documents(file, "applied") == {}
        assert not path.parent.exists()

    def test_a_damaged_file_is_said(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"this is not SQLite" * 1_000)
        with pytest.raises(Stalled, match="cannot read the ledger"), reading(path):
            pass

    def test_a_file_of_older_tables_is_said(self, path: Path) -> None:
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(f"{MIGRATIONS[0]} PRAGMA user_version=1")
        with pytest.raises(Stalled, match="older podvisor"), reading(path):
            pass

    def test_a_file_that_is_being_made_is_empty_until_it_is_whole(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A status at any moment of a first start."""
        path.parent.mkdir()
        path.touch()
        moments = [names_in(path)]
        connect = sqlite3.connect

        def watched(*arguments: Any, **more: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **more)
            if arguments == (path,):
                connection.set_trace_callback(lambda _: moments.append(names_in(path)))
            return connection

        monkeypatch.setattr(sqlite3, "connect", watched)
        open_for_writing(path).close()
        assert len(moments) > 10
        assert set(map(frozenset, moments)) == {frozenset()}


def names_in(path: Path) -> set[str]:
    with reading(path) as file:
        return known_apps(file)


def rollout(revision: str, began_at: float, **more: object) -> Rollout:
    files = (TreeFile(path="web.container", oid="1" * 40),)
    fields = {"source": "home", "root": "web", "files": files, "began_at": began_at, **more}
    return Rollout(name="web", revision=revision, release=revision, **fields)


def test_rollouts_are_kept_in_the_order_in_which_they_were_tried(opened):
    ledger = opened()
    for number, revision in enumerate(["r1", "r2", "r3"]):
        ledger.put_rollout(rollout(revision, float(number)))
    ledger.put_rollout(rollout("r1", 9.0, outcome=Outcome.FAILED, reason="why"))
    for revisions in (ledger.rollouts("web"), opened().rollouts("web")):
        assert [one.revision for one in revisions] == ["r2", "r3", "r1"]
        assert revisions[-1].outcome is Outcome.FAILED
    ledger.put_rollout(rollout("r0", 9.0))  # in the same moment
    assert [one.revision for one in ledger.rollouts("web")] == ["r2", "r3", "r0", "r1"]
    assert ledger.rollouts("web") == opened().rollouts("web")
    again = opened()
    again.drop_rollouts("web", ["r2", "r0", "none"])
    assert [r.revision for r in opened().rollouts("web")] == ["r3", "r1"]
    again.drop_app("web")
    assert opened().rollouts("web") == ()


def test_the_log_of_what_was_written_does_not_grow_for_ever(opened: Open, path: Path) -> None:
    ledger = opened()
    for number in range(60):
        ledger.append(*(step(number, detail="x" * 4_000) for _ in range(50)))
        ledger._mover.wait()
    assert path.with_name("ledger.db-wal").stat().st_size < 8 << 20
    assert path.stat().st_size > 8 << 20
    assert len(opened().events(EventQuery(limit=10))) == 10


APPS, UNITS = ("web", "db"), ("a.service", "b.service")
PARTS = st.dictionaries(st.sampled_from("ab"), st.sampled_from(("d1", "d2")))
CHANGES = st.one_of(
    st.builds(
        lambda name, revision, units: lambda to: to.put_applied(app(name, revision, **units)),
        st.sampled_from(APPS),
        st.sampled_from(("r1", "r2")),
        PARTS,
    ),
    st.builds(
        lambda name, unit, digest: lambda to: to.put_unit(name, unit, UnitInputs(digest=digest)),
        st.sampled_from(APPS),
        st.sampled_from(UNITS),
        st.sampled_from(("d1", "d2")),
    ),
    st.builds(
        lambda revision, began: lambda to: to.put_rollout(rollout(revision, began)),
        st.sampled_from(("r1", "r2")),
        st.floats(0, 9),
    ),
    st.builds(
        lambda unit, failures: (
            lambda to: to.put_repairs([RepairState(unit=unit, failures=failures)])
        ),
        st.sampled_from(UNITS),
        st.integers(0, 2),
    ),
    st.sampled_from(APPS).map(lambda name: lambda to: to.drop_app(name)),
    st.sampled_from(APPS).map(lambda name: lambda to: to.put(hold("r1"), name)),
    st.sampled_from(APPS).map(lambda name: lambda to: to.drop(Hold, name)),
)


@settings(max_examples=scaled(40))
@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=12))
def test_memory_and_file_say_the_same_whatever_was_written(changes) -> None:
    """Also of what could not be written when it was put."""

    def said(of: Any) -> object:
        applied, repairs, holds = of.applied(), of.repairs(), of.all(Hold)
        return applied, [of.rollouts(one) for one in APPS], repairs, holds

    with TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        ledger = SqliteLedger(path, settings=LedgerSettings(), clock=StillClock())
        for change, is_full in changes:
            with full_disk() if is_full else nullcontext():
                change(ledger)
            # What is remembered of it must not outlive the next change.
            each = {name: ledger.applied_app(name) for name in APPS}
            assert {name: one for name, one in each.items() if one} == ledger.applied()
        ledger.append(step())
        copy = SqliteLedger(Path(folder, "copy.db"), settings=LedgerSettings(), clock=StillClock())
        copy.take(path)
        assert said(copy) == said(ledger)
        copy.close()
        ledger.close()
        reopened = SqliteLedger(path, settings=LedgerSettings(), clock=StillClock())
        assert said(reopened) == said(ledger)
        reopened.close()
