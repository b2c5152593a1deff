"""The `Generator` port; the real adapter with a stand-in for the binary, and the installed one.

Apps are written in the language of each: what a fake makes of words, a generator makes of keys.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.quadlet.generator import QuadletGenerator
from supervisor.adapters.quadlet.runner import BINARIES, Runner
from supervisor.controllers.ports import Generator
from supervisor.model.app import Candidate
from supervisor.model.errors import Stalled
from supervisor.model.generated import Generated
from supervisor.model.quadlet import UnitKind
from tests.core.candidates import from_texts
from tests.fakes.machine import Machine
from tests.fakes.ports import FakeGenerator
from tests.fakes.quadlet import write_stand_in

pytestmark = pytest.mark.anyio
INSTALLED = next((path for path in BINARIES if Path(path).exists()), "")


class FakeSide:
    network = ""

    def __init__(self, _: Path) -> None:
        self.generator = FakeGenerator(Machine())

    def container(self, *, needs: str = "", refused: bool = False, image: str = "x:1") -> str:
        more = f" needs={needs}" * bool(needs) + " refuse=Bogus" * refused
        return f"image=localhost/{image}{more}"

    def adds_own(self, name: str) -> None:
        """The user puts a drop-in for all containers beside the apps."""
        self.generator.around[f"/own/{name}"] = "1"

    def is_removed(self) -> None:
        self.generator.failure = Stalled("cannot find the generator", hint="apt install podman")


class RealSide:
    network = "[Network]\n"

    def __init__(self, folder: Path) -> None:
        self.own = folder / "config/containers/systemd"
        self.own.mkdir(parents=True)
        self.binary = folder / "quadlet"
        self.make(self.binary)
        self.generator = QuadletGenerator(
            Runner(
                stage=folder / "run/stage",
                quadlets=self.own,
                system_folders=[],
                binaries=[str(self.binary)],
            ),
            home=folder,
        )

    def make(self, binary: Path) -> None:
        write_stand_in(binary, log=binary.parent / "log")

    def container(self, *, needs: str = "", refused: bool = False, image: str = "x:1") -> str:
        more = f"Network={needs}\n" * bool(needs) + "Bogus=1\n" * refused
        return f"[Container]\nImage=localhost/{image}\n{more}"

    def adds_own(self, name: str) -> None:
        (self.own / name).parent.mkdir()
        (self.own / name).write_text("[Container]\nEnvironment=A=1\n")

    def is_removed(self) -> None:
        self.binary.unlink()


class InstalledSide(RealSide):
    """As `RealSide`, with the generator of this machine."""

    def make(self, binary: Path) -> None:
        binary.symlink_to(INSTALLED)


Side = FakeSide | RealSide


@pytest.fixture(params=[FakeSide, RealSide, *([InstalledSide] if INSTALLED else [])])
def side(request: Any, tmp_path: Path) -> Iterator[Side]:
    yield request.param(tmp_path)
    assert list(tmp_path.glob("run/stage/*")) == [], "nothing stays behind"


async def generate(
    side: Side,
    apps: Mapping[str, Mapping[str, str]],
    beside: Mapping[str, Mapping[str, str]] | None = None,
) -> Generated:
    generator: Generator = side.generator
    contents: dict[str, bytes] = {}

    def made(name: str, texts: Mapping[str, str]) -> Candidate:
        candidate, blobs = from_texts(name, texts)
        contents.update(blobs)
        return candidate

    return await generator.generate(
        [made(name, texts) for name, texts in apps.items()],
        beside=[made(name, texts) for name, texts in (beside or {}).items()],
        contents=contents,
    )


def names(answer: Generated) -> dict[str, list[str]]:
    return {app: [unit.name for unit in units] for app, units in answer.units.items()}


def refused(answer: Generated) -> set[str]:
    return {app for app, found in answer.findings.items() if any(one.fatal for one in found)}


async def test_each_app_has_its_own_units(side: Side) -> None:
    apps = {
        "web": {
            "web.container": side.container(needs="site.network"),
            "site.network": side.network,
            "README.md": "x",
        },
        "db": {"db.container": side.container(image="y:1")},
        "empty": {"notes.txt": "x"},
    }
    answer = await generate(side, apps)
    assert names(answer) == {
        "web": ["site-network.service", "web.service"],
        "db": ["db.service"],
        "empty": [],
    }
    network, web = answer.units["web"]
    assert (web.kind, web.path) == (UnitKind.CONTAINER, "web.container")
    assert (network.kind, network.path) == (UnitKind.NETWORK, "site.network")
    assert answer.units["db"][0].object_name == "systemd-db"
    assert refused(answer) == set()


async def test_a_digest_is_another_one_if_and_only_if_the_unit_is(side: Side) -> None:
    old = {"web.container": side.container(), "other.container": side.container()}
    new = {**old, "web.container": side.container(image="x:2"), "README.md": "x"}
    before, again, after = [
        {unit.name: unit.digest for unit in (await generate(side, {"web": files})).units["web"]}
        for files in (old, old, new)
    ]
    assert before == again
    assert before["web.service"] != after["web.service"]
    assert before["other.service"] == after["other.service"]


async def test_an_app_that_is_refused_has_no_units_and_takes_nobody_with_it(side: Side) -> None:
    apps = {
        "bad": {"bad.container": side.container(refused=True), "n.network": side.network},
        "good": {"good.container": side.container(needs="n.network")},
    }
    answer = await generate(side, apps)
    assert names(answer) == {"good": ["good.service"]}
    assert refused(answer) == {"bad"}
    (finding, *_) = answer.findings["bad"]
    assert "Bogus" in finding.message
    assert (finding.source, finding.app, finding.path) == ("home", "bad", "apps/bad/bad.container")


async def test_what_an_app_refers_to_may_stand_beside_it_and_must_be_somewhere(side: Side) -> None:
    web = {"web": {"web.container": side.container(needs="site.network")}}
    answer = await generate(side, web)
    assert names(answer) == {}
    assert "site.network was not found" in answer.findings["web"][0].message
    answer = await generate(side, web, beside={"net": {"site.network": side.network}, **web})
    assert names(answer) == {"web": ["web.service"]}
    assert refused(answer) == set()


async def test_the_texts_of_an_app_are_of_its_own_units(side: Side) -> None:
    generator: Generator = side.generator
    app, contents = from_texts("web", {"web.container": side.container(needs="site.network")})
    beside, more = from_texts("net", {"site.network": side.network})
    texts = await generator.texts(app, contents={**contents, **more}, beside=[beside])
    assert texts.keys() == {"web.service"}
    assert "[Service]" in texts["web.service"]


async def test_what_takes_part_beside_the_apps_is_told(side: Side) -> None:
    generator: Generator = side.generator
    version = await generator.version()
    assert version
    assert await generator.surroundings() == {}
    before = await generate(side, {"web": {"web.container": side.container()}})
    side.adds_own("container.d/10.conf")
    assert [Path(path).name for path in await generator.surroundings()] == ["10.conf"]
    if type(side) is not RealSide:  # the stand-in knows no drop-ins
        after = await generate(side, {"web": {"web.container": side.container()}})
        assert after.units["web"][0].digest != before.units["web"][0].digest
    assert await generator.version() == version


async def test_without_a_generator_a_person_is_told_what_to_do(side: Side) -> None:
    generator: Generator = side.generator
    side.is_removed()
    app, contents = from_texts("web", {"web.container": side.container()})
    for asked in (
        generator.version(),
        generator.generate([app], contents=contents),
        generator.texts(app, contents=contents),
    ):
        with pytest.raises(Stalled) as caught:
            await asked
        assert "podman" in caught.value.hint
