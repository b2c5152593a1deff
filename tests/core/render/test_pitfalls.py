"""What Podman's generator lets pass, and should not go unsaid."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.render.pitfalls import report_pitfalls
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.quadlet_output import read_units
from supervisor.core.render.reading import Reading
from tests.core.candidates import from_texts

LIVE = "/home/pi/.config/containers/systemd/podvisor"
PLACE = Place(stage="/run/stage/1-1", live=LIVE, home="/home/pi")


def said(files: dict[str, str], made: str = "", path: str = "web.container") -> list[str]:
    reading = Reading(AppFiles(*from_texts("web", files)))
    read_plain_units(reading, PLACE)
    source = f"[Unit]\nSourcePath={PLACE.stage}/web/{path}\n"
    if made:
        read_units(f"---web.service---\n{source}{made}", {"web": reading}, PLACE)
    report_pitfalls(reading)
    return [f"{'!' if one.fatal else ''}{one}" for one in reading.findings]


@pytest.mark.parametrize(
    ("path", "line", "made", "finding"),
    [
        (
            "n.network",
            "[Network]\nNetworkName=a/../b",
            "[X-Network]\n[Service]\nExecStart=podman network create a/../b",
            "!apps/web/n.network:2: 'a/../b' cannot name a network",
        ),
        (
            "web.container",
            "[Container]\nContainerName=-x",
            "[X-Container]\n[Service]\nExecStart=podman run --name -x image",
            "!apps/web/web.container:2: '-x' cannot name a container",
        ),
        (
            "web.container",
            "[Container]\nImage=--privileged",
            "[X-Container]\nImage=--privileged\n[Service]\nExecStart=podman run --privileged",
            "!apps/web/web.container:2: Image= begins with -",
        ),
        (
            "n.network",
            "[Network]\nNetworkName=%l-net",
            "[X-Network]\n[Service]\nExecStart=podman network create %l-net",
            "",
        ),
    ],
)
def test_names_that_podman_cannot_take(path: str, line: str, made: str, finding: str) -> None:
    found = said({path: line}, made, path)
    assert [one[: len(finding)] for one in found] == ([finding] if finding else [])


def test_a_container_whose_words_nobody_keeps() -> None:
    lines = "[Container]\nImage=x\nLogDriver="
    made = "[X-Container]\n[Service]\n{}ExecStart=podman run --log-driver {} -d x"
    (words,) = said({"web.container": f"{lines}none"}, made.format("", "none"))
    assert words.startswith("apps/web/web.container:3: LogDriver=none: nobody keeps what it writes")
    oneshot = made.format("Type=oneshot\n", "none")
    assert said({"web.container": f"{lines}none"}, oneshot) == []
    assert said({"web.container": f"{lines}journald"}, made.format("", "journald")) == []


def test_a_one_shot_that_is_started_by_more_than_its_timer() -> None:
    timer = "[Timer]\nOnCalendar=daily\n"
    job = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
    install = "[Install]\nWantedBy=default.target\n"
    (words,) = said({"scrub.timer": timer, "scrub.service": job + install})
    assert words.startswith(
        "apps/web/scrub.service:5: scrub.service runs at every boot and deploy as well"
    )
    assert said({"scrub.timer": timer, "scrub.service": job}) == []
    assert said({"scrub.service": job + install}) == []


def test_a_circle_in_which_units_are_to_start() -> None:
    service = "[Service]\nExecStart=/bin/true\n"
    files = {
        "a.service": f"[Unit]\nAfter=b.service\n{service}",
        "b.service": f"[Unit]\nAfter=c.service x.service\n{service}",
        "c.service": service,
        "c.service.d/order.conf": "[Unit]\nBefore=d.service\nAfter=a.service\n",
        "d.service": f"[Unit]\nAfter=a.service\n{service}",
    }
    (words,) = said(files)
    for one in ("a.service after b.service", "b.service after c.service", "c.service after a.serv"):
        assert one in words
    assert "d.service" not in words
    assert said(files | {"c.service.d/order.conf": "[Unit]\nBefore=d.service\n"}) == []


def test_a_quadlet_file_in_place_of_a_unit() -> None:
    lines = "[Unit]\nAfter=x.service db.container\nWants=web.network\n"
    made = f"{lines}[X-Container]\n[Service]\nExecStart=podman run image\n"
    files = {"web.container": f"{lines}[Container]\nImage=image\n", "job.service": ""}
    files["job.service"] = "[Unit]\nAfter=web.container\n[Service]\nExecStart=/bin/true\n"
    said_of = "apps/web/{}: systemd knows no unit {}, and passes it over (write {})"
    assert said(files, made) == [
        said_of.format("job.service:2", "web.container", "web.service"),
        said_of.format("web.container:2", "db.container", "db.service"),
        said_of.format("web.container:3", "web.network", "web-network.service"),
    ]


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("%h/.config/containers/systemd/web/app.env", "write ./app.env"),
        ("/home/pi/.config/containers/systemd/app.env", "write ./app.env"),
        (f"{LIVE}/web/app.env", ""),
        ("%h/.config/containers/systemd/mine.env", ""),
        ("%h/app.env", ""),
    ],
)
def test_paths_of_where_the_files_were_by_hand(named: str, hint: str) -> None:
    files = {"web.container": f"[Container]\nEnvironmentFile={named}\n", "app.env": "A=1\n"}
    made = f"[X-Container]\n[Service]\nExecStart=podman run --env-file {named} image\n"
    found = said(files, made)
    assert [hint in one and "apps/web/web.container:2: names" in one for one in found] == (
        [True] if hint else []
    )


def test_a_hidden_folder_is_not_said_to_be_missing_in_the_source() -> None:
    files = {"web.container": "[Container]\nVolume=./.data:/data\n"}
    stage = f"{PLACE.stage}/web/.data"
    made = f"[X-Container]\n[Service]\nExecStart=podman run -v {stage}:/data image\n"
    (words,) = said(files, made)
    assert "hidden folders are part of no app" in words
