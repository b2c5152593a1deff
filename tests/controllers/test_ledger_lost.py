"""A damaged ledger is something that is wrong until a person has seen to it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import msgspec
import pytest

from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.notify_settings import NotifySettings
from supervisor.model.setting_types import Seconds, SecretRef
from supervisor.model.status import AppState, OrderRequest

pytestmark = pytest.mark.anyio

PHONE = SecretRef("file:~/phone")


@pytest.fixture
def world(world):
    world.secrets.known[PHONE] = b"json://phone"
    notify = {"phone": NotifySettings(url=PHONE, after=Seconds(5))}
    world.settings = msgspec.structs.replace(world.settings, notify=notify)
    world.reader.put("home", {"web/web.container": "", "blog/blog.container": ""})
    return world


def event_log_torn(path):
    with closing(sqlite3.connect(path)) as connection:
        select = "SELECT rootpage FROM sqlite_schema WHERE name = 'events'"
        at = (connection.execute(select).fetchone()[0] - 1) * 4096
    content = path.read_bytes()
    path.write_bytes(content[:at] + b"\xff" * 4096 + content[at + 4096 :])


def all_torn(path):
    path.write_bytes(b"not a database" * 1_000)


def there(path):
    return [*path.parent.iterdir()]


def removed(path):
    path.unlink()


@pytest.mark.parametrize(
    ("tear", "state", "words"),
    [
        (event_log_torn, AppState.SUSPENDED, "is known still"),
        (all_torn, AppState.READY, "and with it what people ordered"),
    ],
)
async def test_it_is_told_until_the_file_is_gone(world, tear, state, words):
    async with world.running() as daemon:
        await daemon.service.suspend(OrderRequest(apps=("web",), reason="disk swap"))
    world.close()
    tear(world.path)
    async with world.running() as daemon:
        await anyio.sleep(60)
        status = daemon.service.status()
        (one,) = [one for one in status.incidents if one.code is IncidentCode.LEDGER_LOST]
        kept = Path(one.command.removeprefix("rm ").removesuffix("*"))
        assert kept in there(world.path)
        assert one.subject == kept.name
        assert str(kept) in one.hint
        assert any("the ledger was damaged" in title for title in world.messenger.titles)
        assert words in one.text
        assert daemon.board.apps["web"].state is state
    async with world.running() as daemon:
        await anyio.sleep(60)
        assert {key.partition("/")[0] for key in world.ledger.all(Incident)} == {"ledger-lost"}
        removed(kept)
        await anyio.sleep(8_000)
        assert not world.ledger.all(Incident)
