"""The file: how it is made, opened, brought up to date, and recognised as damaged.

The version of the tables is SQLite's `user_version`: the number of migrations that were run. A file
of a newer podvisor is used as long as it has what this one knows, with values of their own for
whatever else there is: so a downgrade starts, and an upgrade finds everything again.

A status without a daemon waits for this to be imported: not also for the model.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from supervisor.kit.failures import Stalled

MIGRATIONS = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time REAL NOT NULL,
        kind TEXT NOT NULL,
        ok INTEGER NOT NULL,
        app TEXT NOT NULL,
        unit TEXT NOT NULL,
        source TEXT NOT NULL,
        revision TEXT NOT NULL,
        step TEXT NOT NULL,
        subject TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_app ON events (app) WHERE app <> '';
    CREATE INDEX events_by_unit ON events (unit) WHERE unit <> '';
    CREATE INDEX events_by_time ON events (time);
    """,
    """
    CREATE TABLE documents (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        part TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (kind, key, part)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE events ADD COLUMN code TEXT NOT NULL DEFAULT '';
    CREATE INDEX events_by_code ON events (code) WHERE code <> '';
    """,
    """
    ALTER TABLE events ADD COLUMN "by" TEXT NOT NULL DEFAULT '';
    """,
    """
    ALTER TABLE events ADD COLUMN author TEXT NOT NULL DEFAULT '';
    """,
    """
    ALTER TABLE events ADD COLUMN unchanged_at REAL NOT NULL DEFAULT 0.0;
    """,
)

_WRITER_WAITS_SECONDS = 0.25
"""For a reader's lock; the daemon stands still meanwhile."""
_READER_WAITS_SECONDS = 2.0
_LARGEST_WAL = 1 << 20
_LONG_WAL = 2 << 20
_TABLES = ("events", "documents")
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the file, make it if it is not there. Raises sqlite3.Error, OSError or Stalled."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its companions (-wal, -shm) the mode of the file itself.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=_WRITER_WAITS_SECONDS, isolation_level=None)
    with _closed_on_error(connection):
        # Before the first table, or else it has no effect.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        # A power cut may lose the last entries, but never the file.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA journal_size_limit={_LARGEST_WAL}")
        # Moving the log into the file waits for the disk: `move_log` does it.
        connection.execute("PRAGMA wal_autocheckpoint=0")
        version = _version(connection)
        if version > len(MIGRATIONS):
            _check_newer(connection, path)
        if missing := "".join(MIGRATIONS[version:]):
            # At once: a reader finds all of it, or nothing.
            made = f"PRAGMA user_version={len(MIGRATIONS)};"
            connection.executescript(f"BEGIN IMMEDIATE; {missing} {made} COMMIT;")
    return connection


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as it is, empty if it is not there or not yet made; it stays so. Raises Stalled."""
    try:
        with contextlib.closing(_opened_for_reading(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise Stalled(
            f"cannot read the ledger {path}: {error}",
            hint="the daemon sets a damaged ledger aside when it starts, and begins a new one",
        ) from error


def _opened_for_reading(path: Path) -> sqlite3.Connection:
    if not path.exists():
        return _empty()
    # Without a WAL nobody has it open, and SQLite would make one even for a reader.
    unused = not path.with_name(f"{path.name}-wal").exists()
    name = f"{address(path)}?mode=ro{'&immutable=1' if unused else ''}"
    connection = sqlite3.connect(name, uri=True, timeout=_READER_WAITS_SECONDS)
    with _closed_on_error(connection):
        version = _version(connection)
        if version > len(MIGRATIONS):
            _check_newer(connection, path)
        if version == 0:  # A daemon has just begun to make it.
            connection.close()
            return _empty()
        if version < len(MIGRATIONS):
            raise Stalled(
                f"cannot read the ledger {path}: it was left by an older podvisor",
                hint="start the daemon once; it brings the ledger up to date",
            )
    return connection


def address(path: Path) -> str:
    """Return a path as SQLite takes it before options."""
    # Not `as_uri()`: it imports half of the network's modules.
    name = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file://{name}"


def contents(
    connection: sqlite3.Connection, kind: str, key: str | None = None
) -> Iterator[tuple[str, str, bytes]]:
    """Yield key, part and content of the documents of a kind, or of those of one key."""
    select, values = "SELECT key, part, content FROM documents WHERE kind = ?", [kind]
    if key is not None:
        select, values = f"{select} AND key = ?", [kind, key]
    yield from connection.execute(select, values)


def write_one_page(connection: sqlite3.Connection) -> None:
    """Try whether anything can be written. Raises sqlite3.Error if not."""
    connection.execute(f"PRAGMA user_version={_version(connection)}")


class LogMover:
    """Moves what was written from the log into the file, now and then, in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: threading.Thread | None = None

    def start_if_due(self) -> None:
        """Begin where the log has grown long; it waits for the disk, and nobody for it."""
        if self._thread is not None and self._thread.is_alive():
            return
        try:
            size = self._path.with_name(f"{self._path.name}-wal").stat().st_size
        except OSError:
            return
        if size > _LONG_WAL:
            self._thread = threading.Thread(
                target=move_log, args=(self._path,), name="podvisor-ledger", daemon=True
            )
            self._thread.start()

    def wait(self) -> None:
        """Wait for its end, if it has begun."""
        if self._thread is not None:
            self._thread.join()


def move_log(path: Path) -> None:
    """Move what was written from the log into the file."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, timeout=_READER_WAITS_SECONDS)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def is_damage(error: Exception) -> bool:
    """Whether the file itself is broken, rather than its disk full or its folder missing."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def is_passing(error: Exception) -> bool:
    """Whether the open file is still good after it, and can at least be read."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def reason(error: Exception) -> str:
    """Say why it could not be written."""
    is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return "the disk is full" if is_full else str(error)


def move_aside(path: Path, *, stamp: str) -> Path:
    """Rename a damaged file with its companions, and return its new name. Raises OSError."""
    target = path.with_name(f"{path.name}.corrupt-{stamp}")
    for companion in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + companion).rename(target.with_name(target.name + companion))
    path.rename(target)
    return target


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raise Stalled if this podvisor cannot work with the tables of a newer one."""
    with contextlib.closing(_empty()) as known:
        if all(_columns(connection, table) >= _columns(known, table) for table in _TABLES) and all(
            _fills_itself(connection, table, _columns(known, table)) for table in _TABLES
        ):
            return
    raise Stalled(
        f"cannot use the ledger {path}: it was written by a newer podvisor "
        f"(version {_version(connection)}, this one knows {len(MIGRATIONS)})",
        hint="upgrade podvisor, or move the file away to begin a new ledger",
    )


def _empty() -> sqlite3.Connection:
    """A new ledger, in memory."""
    connection = sqlite3.connect(":memory:")
    for script in MIGRATIONS:
        connection.executescript(script)
    return connection


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def _fills_itself(connection: sqlite3.Connection, table: str, known: set[str]) -> bool:
    """Whether a row can be written by who knows these columns only."""
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return all(
        name in known or not not_null or default is not None
        for _, name, _, not_null, default, _ in rows
    )


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise
