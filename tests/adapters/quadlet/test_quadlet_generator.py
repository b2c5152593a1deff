"""The generator's adapter, with a stand-in for the binary that shows what it was given.

The real ones are exercised in tests/contracts and tests/host/test_contract_quadlet.py, their output
is read in tests/core/test_generated.py.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.adapters.quadlet.generator import QuadletGenerator
from supervisor.adapters.quadlet.runner import Runner
from supervisor.adapters.quadlet.stage import signature
from supervisor.model.app import Candidate
from supervisor.model.errors import Retry, Stalled
from tests.core.candidates import from_texts
from tests.fakes.quadlet import write_stand_in


class Bench:
    def __init__(self, folder: Path, *, patience: float = 60.0) -> None:
        self.folder = folder
        self.own = folder / "config" / "containers" / "systemd"
        self.live = self.own / "podvisor"
        self.live.mkdir(parents=True)
        self.stage = folder / "run" / "stage"
        self.log = folder / "log"
        self.binary = folder / "quadlet"
        write_stand_in(self.binary, log=self.log)
        self.generator = QuadletGenerator(
            Runner(
                stage=self.stage,
                quadlets=self.own,
                system_folders=[folder / "etc", folder / "absent"],
                binaries=[str(self.binary)],
                patience=patience,
                probe_patience=max(patience, 3.0),
            ),
            home=folder,
        )
        self.contents: dict[str, bytes] = {}

    def app(
        self, name: str, texts: dict[str, str], links: dict[str, str] | None = None
    ) -> Candidate:
        candidate, contents = from_texts(name, texts, links=links or {})
        self.contents |= contents
        return candidate

    @property
    def runs(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    assert not bench.stage.exists() or list(bench.stage.iterdir()) == [], "nothing stays behind"


WEB = {"web.container": "[Container]\nImage=quay.io/a/b\n"}


async def test_a_file_that_is_no_drop_in_is_not_staged(bench):
    app = bench.app("web", {"web.container": "[Container]\nImage=i\n", "site.conf": "a"})
    read = {oid: content for oid, content in bench.contents.items() if content != b"a"}
    generated = await bench.generator.generate([app], contents=read)
    assert [unit.name for unit in generated.units["web"]] == ["web.service"]


async def test_units_of_each_app(bench: Bench) -> None:
    one = bench.app("one", WEB)
    two = bench.app("two", {"sub/db.container": "[Container]\n", "x.timer": "[Timer]\n"})
    answer = await bench.generator.generate([one, two], contents=bench.contents)
    assert [unit.name for unit in answer.units["one"]] == ["web.service"]
    assert [unit.name for unit in answer.units["two"]] == ["db.service", "x.timer"]
    assert answer.units["two"][0].path == "sub/db.container"
    assert answer.findings == {}
    assert bench.runs == 1


async def test_the_same_question_is_answered_from_memory(bench: Bench) -> None:
    app = bench.app("one", WEB)
    first = await bench.generator.generate([app], contents=bench.contents)
    assert await bench.generator.generate([app], contents=bench.contents) == first
    assert bench.runs == 1
    (bench.own / "mine.network").write_text("[Network]\n")
    await bench.generator.generate([app], contents=bench.contents)
    assert bench.runs == 2, "the user's own files take part in the question"


async def test_a_refused_app_takes_nobody_with_it(bench: Bench) -> None:
    bad = bench.app("bad", {"b.container": "[Container]\nBogus=1\n", "n.network": "[Network]\n"})
    good = bench.app("good", {"g.container": "[Container]\nNetwork=n.network\n"})
    answer = await bench.generator.generate([bad, good], contents=bench.contents)
    assert list(answer.units) == ["good"]
    (finding,) = answer.findings["bad"]
    assert (finding.path, finding.line, finding.fatal) == ("apps/bad/b.container", 2, True)
    assert finding.message == "unsupported key 'Bogus' in group 'Container' in b.container"


async def test_who_refers_to_what_is_not_there_is_told_itself(bench: Bench) -> None:
    app = bench.app("one", {"g.container": "[Container]\nNetwork=gone.network\n"})
    answer = await bench.generator.generate([app], contents=bench.contents)
    assert answer.units == {}
    assert str(answer.findings["one"][0]) == (
        "apps/one/g.container:2: requested Quadlet unit gone.network was not found"
    )


async def test_neighbours_resolve_references_and_are_not_returned(bench: Bench) -> None:
    app = bench.app("one", {"g.container": "[Container]\nNetwork=n.network\n"})
    beside = bench.app("two", {"n.network": "[Network]\n", "b.container": "Bogus"})
    answer = await bench.generator.generate([app], contents=bench.contents, beside=[beside, app])
    assert list(answer.units) == ["one"]
    assert answer.findings == {}


async def test_the_users_own_files_resolve_references_and_are_not_returned(bench: Bench) -> None:
    (bench.own / "sub").mkdir()
    (bench.own / "sub" / "mine.network").write_text("[Network]\n")
    (bench.own / "broken.container").write_text("Bogus")
    (bench.own / "web.container").write_text("Bogus")
    (bench.live / "old").mkdir()
    (bench.live / "old" / "gone.network").write_text("[Network]\n")
    app = bench.app("one", WEB | {"g.container": "[Container]\nNetwork=mine.network\n"})
    lost = bench.app("two", {"l.container": "[Container]\nNetwork=gone.network\n"})
    answer = await bench.generator.generate([app, lost], contents=bench.contents)
    assert [unit.name for unit in answer.units["one"]] == ["g.service", "web.service"]
    assert list(answer.findings) == ["two"], "what is installed is not seen, only what is staged"


async def test_the_administrators_files_take_part_and_other_users_do_not(bench: Bench) -> None:
    for path in ("etc/all.network", "etc/1001/other.network"):
        (bench.folder / path).parent.mkdir(exist_ok=True)
        (bench.folder / path).write_text("[Network]\n")
    app = bench.app("one", {"a.container": "[Container]\nNetwork=all.network\n"})
    lost = bench.app("two", {"b.container": "[Container]\nNetwork=other.network\n"})
    answer = await bench.generator.generate([app, lost], contents=bench.contents)
    assert list(answer.units) == ["one"]


async def test_two_apps_with_a_file_of_one_name_are_both_judged(bench: Bench) -> None:
    network = bench.app("net", {"n.network": "[Network]\n"})
    one = bench.app("one", WEB)
    two = bench.app("two", {"web.container": "[Container]\nNetwork=n.network\n"})
    answer = await bench.generator.generate([network, one, two], contents=bench.contents)
    assert [unit.name for unit in answer.units["one"]] == ["web.service"]
    assert [unit.name for unit in answer.units["two"]] == ["web.service"]
    assert bench.runs == 2


async def test_only_what_the_generator_reads_is_needed(bench: Bench) -> None:
    app = bench.app("one", WEB | {"data.bin": "x" * 1000})
    wanted = {f.oid: bench.contents[f.oid] for f in app.files if f.path == "web.container"}
    assert (await bench.generator.generate([app], contents=wanted)).units["one"]


async def test_links_inside_the_app_are_staged_and_others_refuse_it(bench: Bench) -> None:
    app = bench.app("one", {"w@.container": "[Container]\n"}, {"w@1.container": "w@.container"})
    answer = await bench.generator.generate([app], contents=bench.contents)
    assert [unit.name for unit in answer.units["one"]] == ["w@.service", "w@1.service"]
    (bench.folder / "secret.container").write_text("[Container]\n")
    bad = bench.app("bad", WEB, {"s.container": str(bench.folder / "secret.container")})
    answer = await bench.generator.generate([bad], contents=bench.contents)
    assert answer.units == {}
    assert answer.findings["bad"][0].path == "apps/bad/s.container"


@pytest.mark.parametrize(
    ("link", "target", "behind", "read"),
    [
        ("web.container.d", "common", "common/1.conf", "web.container.d/1.conf"),
        ("web.container.d/1.conf", "../c/x", "c/x", "web.container.d/1.conf"),
        ("db.container", "variants/db", "variants/db", "db.container"),
    ],
)
async def test_what_a_link_makes_a_unit_file_or_a_drop_in_is_staged_with_it(
    bench, link, target, behind, read
):
    app = bench.app("one", {**WEB, behind: "[Container]\n"}, {link: target})
    async with bench.generator.runner.staged([app], bench.contents) as folder:
        assert (folder / "one" / read).read_text() == "[Container]\n"


async def test_it_is_asked_again_when_what_a_link_leads_to_has_changed(bench):
    link = {"db.container": "variants/db"}
    app = bench.app("one", {"variants/db": "[Container]\nPANIC=1\n"}, link)
    answer = await bench.generator.generate([app], contents=bench.contents)
    assert answer.findings["one"][0].fatal
    app = bench.app("one", {"variants/db": "[Container]\nImage=i\n"}, link)
    answer = await bench.generator.generate([app], contents=bench.contents)
    assert "one" not in answer.findings


async def test_plain_units_alone_need_no_generator_run(bench: Bench) -> None:
    app = bench.app("one", {"a.service": "[Service]\nExecStart=/bin/true\n"})
    answer = await bench.generator.generate([app], contents=bench.contents)
    assert [unit.name for unit in answer.units["one"]] == ["a.service"]
    assert bench.runs == 0


async def test_no_generator_says_what_to_install(bench: Bench) -> None:
    bench.binary.unlink()
    with pytest.raises(Stalled, match="cannot find Podman's Quadlet generator") as caught:
        await bench.generator.generate([bench.app("one", WEB)], contents=bench.contents)
    assert "apt install podman" in caught.value.hint


async def test_a_generator_that_dies_is_tried_again(bench: Bench) -> None:
    app = bench.app("one", {"web.container": "DIE"})
    with pytest.raises(Retry, match="ended with 2"):
        await bench.generator.generate([app], contents=bench.contents)


async def test_an_app_at_which_the_generator_crashes_is_named_and_harms_no_other(
    bench: Bench,
) -> None:
    bad = "[Container]\nImage=x\nMount=PANIC\nExec=y\n"
    apps = [
        bench.app(f"app{n}", {f"c{n}.container": f"[Container]\nImage={n}\n"}) for n in range(20)
    ]
    apps.insert(7, bench.app("bad", {"sub/bad.container": bad, "fine.container": "[Container]\n"}))
    answer = await bench.generator.generate(apps, contents=bench.contents)
    assert len(answer.units) == 20
    (finding,) = answer.findings["bad"]
    assert (finding.path, finding.line, finding.fatal) == ("apps/bad/sub/bad.container", 3, True)
    assert "it crashes (runtime error: index out of range)" in finding.message
    runs = bench.runs
    assert runs < 20, "halved, not tried one by one"
    more = [*apps, bench.app("new", {"new.container": "[Container]\n"})]
    answer = await bench.generator.generate(more, contents=bench.contents)
    assert len(answer.units) == 21
    assert bench.runs == runs + 1, "it is known, and not asked about again"
    mended = bench.app("bad", {"sub/bad.container": "[Container]\nImage=x\n"})
    answer = await bench.generator.generate([mended], contents=bench.contents, beside=apps[:3])
    assert [unit.name for unit in answer.units["bad"]] == ["bad.service"]


async def test_each_of_some_files_at_which_it_crashes_is_named(bench: Bench) -> None:
    bad = "[Container]\nMount=PANIC\nMount=PANIC\n"
    apps = [
        bench.app("one", {"a.container": bad, "b.container": bad, "c.container": "[Container]\n"}),
        bench.app("two", {"d.container": bad}),
        bench.app("three", {"e.container": "[Container]\n", "e.timer": "[Timer]\n"}),
    ]
    answer = await bench.generator.generate(apps, contents=bench.contents)
    assert {name: [one.path for one in found] for name, found in answer.findings.items()} == {
        "one": ["apps/one/a.container", "apps/one/b.container"],
        "two": ["apps/two/d.container"],
    }
    assert answer.findings["two"][0].line == 0, "it takes two lines"
    assert [unit.name for unit in answer.units["three"]] == ["e.service", "e.timer"]


async def test_an_app_at_which_the_generator_hangs_is_named_and_harms_no_other(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, patience=3.0)
    apps = [
        bench.app("one", {"a.container": "[Container]\nExec=HANG\n"}),
        bench.app("two", {"b.container": "[Container]\n"}),
    ]
    answer = await bench.generator.generate(apps, contents=bench.contents)
    (finding,) = answer.findings["one"]
    assert finding.path == "apps/one/a.container"
    assert "does not come to an end" in finding.message
    assert [unit.name for unit in answer.units["two"]] == ["b.service"]


async def test_a_file_of_the_users_own_at_which_it_crashes_is_named(bench: Bench) -> None:
    (bench.own / "fine.container").write_text("[Container]\n")
    (bench.own / "mine.container").write_text("[Container]\nMount=PANIC\n")
    with pytest.raises(Retry, match=r"it crashes \(.*\), at .*systemd/mine\.container$"):
        await bench.generator.generate([bench.app("one", WEB)], contents=bench.contents)
    (bench.own / "mine.container").unlink()
    answer = await bench.generator.generate([bench.app("one", WEB)], contents=bench.contents)
    assert answer.units["one"]


async def test_no_room_on_the_stage_is_tried_again(bench: Bench) -> None:
    bench.stage.parent.mkdir()
    bench.stage.write_text("in the way")
    with pytest.raises(Retry, match="cannot stage apps"):
        await bench.generator.generate([bench.app("one", WEB)], contents=bench.contents)
    bench.stage.unlink()


async def test_what_a_killed_process_left_is_removed(bench: Bench) -> None:
    dead = bench.stage / "4194304999-1"
    (dead / "x").mkdir(parents=True)
    living = bench.stage / "1-1"
    living.mkdir()
    await bench.generator.generate([bench.app("one", WEB)], contents=bench.contents)
    assert not dead.exists()
    assert living.exists()
    living.rmdir()


async def test_version_changes_with_the_binary(bench: Bench) -> None:
    before = await bench.generator.version()
    assert before.startswith("5.4.2 ")
    assert await bench.generator.version() == before
    os.utime(bench.binary, (1, 1))
    assert await bench.generator.version() != before


async def test_the_units_as_texts_are_those_that_would_be_installed(bench: Bench) -> None:
    app = bench.app("web", {"web.container": "[Container]\nNetwork=site.network\n"})
    net = bench.app("net", {"site.network": "[Network]\n"})
    texts = await bench.generator.texts(app, contents=bench.contents, beside=[net])
    assert list(texts) == ["web.service"]
    assert f"SourcePath={bench.live}/web/web.container\n" in texts["web.service"]


async def test_links_that_lead_round_and_round_harm_nobody(bench: Bench) -> None:
    (bench.own / "loop").symlink_to("loop")
    (bench.own / "loop.container").symlink_to("loop.container")
    app = bench.app("one", WEB)
    answer = await bench.generator.generate([app], contents=bench.contents)
    assert [unit.name for unit in answer.units["one"]] == ["web.service"]
    for name in "abcdefgh":
        (bench.own / name).symlink_to(".")
    (bench.own / "mine.network").write_text("[Network]\n")
    (mine,) = signature([bench.own], bench.live)
    assert mine[0] == str(bench.own / "mine.network")
