"""Logins: which file, which key, which helper."""

import base64
import json
import os
from pathlib import Path

import pytest

from supervisor.adapters.registry import credentials
from supervisor.adapters.registry.credentials import Login, Logins
from supervisor.model.errors import Failure, Retry, Stalled

pytestmark = pytest.mark.anyio
SECRET = "s3cret-of-this-test"


def entry(user: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def put(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def write(path: Path, **content: object) -> Path:
    return put(path, json.dumps(content))


def helper(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


async def find(host: str, path: str = "team/web", authfile: str = "") -> Login | None:
    return await Logins().find(host, path, authfile=authfile)


async def user(host: str, path: str = "team/web", authfile: str = "") -> str:
    found = await find(host, path, authfile)
    return found.user if found else ""


@pytest.fixture
def main(home: Path) -> Path:
    return home / ".config" / "containers" / "auth.json"


async def test_the_first_file_that_has_one_counts(
    home: Path, main: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await user("a") == ""
    (home / ".dockercfg").write_text(json.dumps({"a": entry("4")}))
    assert await user("a") == "4"
    write(home / ".docker" / "config.json", auths={"a": entry("3")})
    assert await user("a") == "3"
    write(main, auths={"a": entry("2"), "b": entry("2")})
    assert await user("a") == "2"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    write(tmp_path / "run" / "containers" / "auth.json", auths={"a": entry("1")})
    assert (await user("a"), await user("b")) == ("1", "2")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(tmp_path / "e.json", auths={})))
    assert await user("a") == ""
    named = write(tmp_path / "n.json", auths={"a": entry("0")})
    named.chmod(0o600)
    assert await user("a", authfile=str(named)) == "0"
    assert await user("b", authfile=str(named)) == ""


async def test_the_most_specific_key_counts(main: Path) -> None:
    keys = ("a", "a/team", "a/team/web", "a/other")
    write(main, auths={key: entry(key) for key in keys})
    assert await user("a", "team/web") == "a/team/web"
    assert await user("a", "team/db") == "a/team"
    assert await user("a", "x") == "a"
    assert await user("a:5000", "team/web") == ""


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("https://a:5000", "a:5000"),
        ("https://a/v2/", "a"),
        ("http://a/", "a"),
    ],
)
async def test_keys_as_docker_writes_them(main: Path, key: str, host: str) -> None:
    write(main, auths={key: entry("x")})
    assert await user(host) == "x"
    assert await user("b") == ""


async def test_other_forms(main: Path) -> None:
    write(
        main,
        auths={
            "a": {"username": "u", "password": SECRET},
            "b": {"auth": entry("<token>", "")["auth"], "identitytoken": SECRET},
            "c": entry("u", SECRET + "\0\0"),
            "d": {},
        },
    )
    assert await find("a") == Login("u", SECRET)
    assert await find("b") == Login("<token>", "", SECRET)
    assert await find("c") == Login("u", SECRET)
    assert await find("d") is None
    assert SECRET not in repr(await find("a"))


@pytest.mark.parametrize(
    "content",
    [
        f'{{"auths": {{"a": {{"auth": "{SECRET}!"}}}}}}',
        f'{{"auths": "{SECRET}"}}',
        f"{SECRET}",
        '{"auths": {"a": {"auth": "ü"}}}',
        f'{{"auths": {{"a": {{"auth": ["{SECRET}"]}}}}}}',
        "[" * 99_999,
        " " * (credentials._LARGEST_FILE + 1),
    ],
)
async def test_files_that_cannot_be_used_are_named_and_not_shown(main: Path, content: str) -> None:
    put(main, content)
    with pytest.raises(Stalled, match=r"auth\.json") as failure:
        await find("a")
    assert SECRET not in f"{failure.value}{failure.value.hint}{failure.value.__cause__}"
    assert failure.value.hint


async def test_an_empty_file_and_one_that_is_named_and_missing(main: Path, home: Path) -> None:
    put(main, "")
    assert await find("a") is None
    with pytest.raises(Stalled, match="no such file"):
        await find("a", authfile=str(home / "none"))


async def test_a_helper_tells(main: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"""\
read host
echo "$1 $host" >>{tmp_path}/asked
case $host in
a) echo '{{"Username": "u", "Secret": "{SECRET}"}}' ;;
t) echo '{{"Username": "<token>", "Secret": "{SECRET}"}}' ;;
https*) echo '{{"Username": "hub", "Secret": "{SECRET}"}}' ;;
*) echo credentials not found in native keychain; exit 1 ;;
esac"""
    helper(tmp_path / "bin", script, monkeypatch)
    write(main, credHelpers={"a": "test", "t": "test"}, auths={"a": entry("no"), "b": entry("b")})
    logins = Logins()
    for _ in range(3):
        assert await logins.find("a", "web") == Login("u", SECRET)
    assert await logins.find("t", "web") == Login("", "", SECRET)
    assert (tmp_path / "asked").read_text() == "get a\nget t\n"
    assert SECRET not in repr(logins)
    write(main, credsStore="test", auths={"b": entry("b"), "docker.io": {}})
    assert await user("b") == "b"
    assert await user("docker.io") == "hub"
    assert await user("c") == ""


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (f"echo {SECRET}; exit 3", Retry, "ends with 3"),
        (f"echo {SECRET}", Retry, "answers oddly"),
        ("sleep 60", Retry, "did not end"),
        ("yes", Retry, "wrote more"),
    ],
)
async def test_a_helper_that_fails(
    main: Path, monkeypatch: pytest.MonkeyPatch, script: str, kind: type[Failure], words: str
) -> None:
    monkeypatch.setattr(credentials, "_HELPER_SECONDS", 0.3 if "sleep" in script else 20)
    helper(main.parent / "bin", script, monkeypatch)
    write(main, credHelpers={"a": "test"})
    with pytest.raises(kind, match=words) as failure:
        await find("a")
    assert SECRET not in str(failure.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [("none-such", "cannot be run"), ("../../x", "odd name"), ("a b", "odd name")],
)
async def test_a_helper_that_is_not_there(main: Path, name: str, words: str) -> None:
    write(main, credHelpers={"a": name})
    with pytest.raises(Stalled, match=words):
        await find("a")


async def for_pull(image: str, authfile: Path) -> tuple[object, bool]:
    os.chmod(authfile, 0o600)  # noqa: PTH101
    found = await Logins().for_pull(image, str(authfile))
    assert SECRET not in repr(found)
    return json.loads(found.config), found.has_login


async def test_for_a_pull_all_of_a_file_come_along_for_mirrors_need_theirs(home: Path) -> None:
    one, team = entry("1"), entry("2")
    token = {"identitytoken": SECRET}
    file = write(home / "a.json", auths={"a/team": team, "b": one, "c": {}, "d": token})
    logins = {
        "a/team": {"username": "2", "password": SECRET},
        "b": {"username": "1", "password": SECRET},
    }
    assert await for_pull("a/team/web:1", file) == (logins, True)
    assert await for_pull(f"b/web@sha256:{'1' * 64}", file) == (logins, True)
    assert await for_pull("docker.io/library/web:1", file) == (logins, False)
    write(file, auths={"d.example": token})
    with pytest.raises(Stalled, match=r"has an identity token for d\.example") as failure:
        await for_pull("d.example/web:1", file)
    assert failure.value.hint.startswith(f"podman login --authfile {file} d.example")


async def test_for_a_pull_a_helper_is_asked_for_the_image_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.dumps({"Username": "u", "Secret": SECRET})
    helper(home / "bin", f"echo '{told}'", monkeypatch)
    file = write(home / "a.json", credHelpers={"a.example": "test"})
    login = {"a.example": {"username": "u", "password": SECRET}}
    assert await for_pull("a.example/web:1", file) == (login, True)
    assert await for_pull("b.example/web:1", file) == ({}, False)


async def test_an_authfile_that_everybody_can_read_is_not_used(home: Path) -> None:
    file = write(home / "a.json", auths={"a": entry("1")})
    file.chmod(0o604)
    with pytest.raises(Stalled, match="everybody can read it") as failure:
        await find("a", authfile=str(file))
    assert failure.value.hint == f"chmod o= {file}"
    file.chmod(0o600)
    assert await user("a", authfile=str(file)) == "1"


async def test_an_authfile_that_never_ends_holds_nothing_up(home: Path) -> None:
    fifo = home / "fifo"
    os.mkfifo(fifo, 0o600)
    writer = os.open(fifo, os.O_RDWR)
    try:
        with pytest.raises(Stalled, match="no regular file"):
            await find("a", authfile=str(fifo))
    finally:
        os.close(writer)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_folder_in_place_of_a_file_leaves_nothing_open(home: Path) -> None:
    before = open_files()
    for _ in range(3):
        with pytest.raises(Stalled, match="Is a directory"):
            await find("a", authfile=str(home))
    assert open_files() == before


async def test_no_login_is_taken_from_the_null_device(home: Path) -> None:
    assert await find("a", authfile="/dev/null") is None
    (home / "linked.json").symlink_to("/dev/zero")
    assert await find("a", authfile=str(home / "linked.json")) is None, "and nothing is read of it"


def test_a_secret_is_known_in_every_form_in_which_it_is_sent() -> None:
    login = Login("u", "", "a+b=/c")
    assert {"a+b=/c", "a%2Bb%3D%2Fc"} < set(login.secrets)
