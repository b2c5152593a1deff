import io
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.adapters.secrets import age
from supervisor.model.secret import SecretList, SecretState, SecretStatus
from supervisor.model.status import AppState, AppStatus, SyncReply
from tests.cli.test_json_schema import fits

Podvisor = Callable[..., Any]


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """What comes on standard input."""

    def put(text: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))

    return put


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app's folder, in a repository."""
    folder = tmp_path / "repository" / "apps" / "web"
    folder.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    return folder


@pytest.fixture
def key(home: Path) -> Path:
    return home / ".config/podvisor/age.key"


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(script: str) -> None:
        program = tmp_path / "editor"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"{program} -w")

    return use


def opened(key: Path, path: Path) -> bytes:
    return age.decrypt(path.read_bytes(), key.read_bytes())


class TestInit:
    def test_makes_a_key_once(self, podvisor: Podvisor, key: Path) -> None:
        said = podvisor("secret", "init")
        assert said.code == 0
        assert said.out.startswith("age1")
        assert "Keep a copy" in said.err
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        again = podvisor("secret", "init")
        assert (again.code, again.out, again.err) == (0, said.out, "")

    def test_where_the_settings_say(self, podvisor: Podvisor, home: Path) -> None:
        settings = home / "config/podvisor/config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f'[secrets]\nidentity = "file:{home}/my.key"\n')
        assert podvisor("secret", "init").code == 0
        assert (home / "my.key").exists()
        settings.write_text('[secrets]\nidentity = "credential:age"\n')
        said = podvisor("secret", "init")
        assert said.code == 1
        assert "only the daemon can read" in said.err

    def test_a_key_that_others_can_read(self, podvisor: Podvisor, key: Path) -> None:
        podvisor("secret", "init")
        key.chmod(0o644)
        said = podvisor("secret", "init")
        assert said.code == 1
        assert f"chmod 600 {key}" in said.err


class TestEncrypt:
    def test_writes_both_files(self, podvisor: Podvisor, types, app: Path, key: Path) -> None:
        types(b"hunter2\n")
        said = podvisor("secret", "encrypt", "--app", str(app), "db-pass")
        assert said.code == 0, said.err
        assert opened(key, app / "db-pass.age") == b"hunter2"
        assert (app / "db-pass.secret").read_text() == "[Secret]\nSource=age:db-pass.age\n"
        assert {path.name for path in app.iterdir()} == {"db-pass.age", "db-pass.secret"}
        assert "hunter2" not in said.out + said.err

    def test_never_replaces_unless_told(self, podvisor: Podvisor, types, app: Path, key) -> None:
        types(b"1")
        podvisor("secret", "encrypt", "--app", str(app), "p")
        types(b"2")
        assert podvisor("secret", "encrypt", "--app", str(app), "p").code == 1
        assert opened(key, app / "p.age") == b"1"
        types(b"2")
        assert podvisor("secret", "encrypt", "--app", str(app), "--force", "p").code == 0
        assert opened(key, app / "p.age") == b"2"

    @pytest.mark.parametrize(
        "case",
        [
            (b"one\n", [], b"one"),
            (b"one\r\n", [], b"one"),
            (b"one\n", ["--raw"], b"one\n"),
            (b"one\ntwo\n", [], b"one\ntwo\n"),
            (b"\xff\x00", [], b"\xff\x00"),
        ],
    )
    def test_line_ends(self, podvisor: Podvisor, types, app: Path, key: Path, case) -> None:
        typed, options, clear = case
        types(typed)
        assert podvisor("secret", "encrypt", "-o", str(app / "x.age"), *options).code == 0
        assert opened(key, app / "x.age") == clear
        assert {path.name for path in app.iterdir()} == {"x.age"}

    def test_for_those_that_the_repository_names(
        self, podvisor: Podvisor, types, app: Path, key: Path
    ) -> None:
        one, other = age.new_identity(), age.new_identity()
        (app.parent.parent / ".age-recipients").write_text(f"# hosts\n{one[1]}\n")
        types(b"x")
        assert podvisor("secret", "encrypt", "--app", str(app), "-r", other[1], "p").code == 0
        assert not key.exists(), "no key is made on a machine that needs none"
        for secret, _ in (one, other):
            assert age.decrypt((app / "p.age").read_bytes(), secret.encode()) == b"x"
        assert age.count_recipients((app / "p.age").read_bytes()) == 2

    def test_to_the_output(self, podvisor: Podvisor, types, key: Path) -> None:
        types(b"x")
        said = podvisor("secret", "encrypt", "-o", "-")
        assert said.code == 0
        assert age.decrypt(said.out.encode(), key.read_bytes()) == b"x"

    @pytest.mark.parametrize(
        "case",
        [
            (b"", [], "never empty"),
            (b"\n", [], "never empty"),
            (b"x" * 512_000, [], "511999 bytes at most"),
            (b"x", ["-r", "age1nonsense"], "no recipient"),
        ],
    )
    def test_what_cannot_be_encrypted(self, podvisor: Podvisor, types, app: Path, case) -> None:
        typed, options, why = case
        types(typed)
        said = podvisor("secret", "encrypt", "--app", str(app), *options, "p")
        assert said.code == 1
        assert why in said.err
        assert list(app.iterdir()) == []

    def test_it_must_have_a_name(self, podvisor: Podvisor) -> None:
        assert podvisor("secret", "encrypt").code == 64


class TestEdit:
    @pytest.fixture
    def file(self, podvisor: Podvisor, types, app: Path) -> Path:
        types(b"before")
        podvisor("secret", "encrypt", "--app", str(app), "p")
        return app / "p.age"

    def test_changes_it(self, podvisor: Podvisor, file: Path, key, editor, home: Path) -> None:
        editor(f'stat -c %a "$2" >{home}/mode; cat "$2" >{home}/seen; echo after >"$2"')
        assert podvisor("secret", "edit", str(file)).code == 0
        assert opened(key, file) == b"after"
        assert (home / "seen").read_text() == "before"
        assert (home / "mode").read_text() == "600\n"
        assert [path.name for path in (home / "run").iterdir()] == ["podvisor"], "removed after"

    def test_leaves_it_where_nothing_changed(self, podvisor: Podvisor, file: Path, editor) -> None:
        sealed = file.read_bytes()
        editor('printf "before\\n" >"$2"')
        said = podvisor("secret", "edit", str(file))
        assert said.code == 0
        assert "unchanged" in said.err
        assert file.read_bytes() == sealed

    def test_an_editor_that_fails(self, podvisor: Podvisor, file: Path, editor, home) -> None:
        sealed = file.read_bytes()
        editor('echo changed >"$2"; exit 3')
        said = podvisor("secret", "edit", str(file))
        assert (said.code, file.read_bytes()) == (1, sealed)
        assert [path.name for path in (home / "run").iterdir()] == ["podvisor"]

    def test_never_takes_it_from_others(self, podvisor: Podvisor, types, app, editor) -> None:
        types(b"x")
        recipient = age.new_identity()[1]
        podvisor("secret", "init")
        podvisor("secret", "encrypt", "--app", str(app), "-r", recipient, "shared")
        editor('echo changed >"$2"')
        said = podvisor("secret", "edit", str(app / "shared.age"))
        assert said.code == 1
        assert "encrypted for 2 keys, and only 1 are known" in said.err
        assert podvisor("secret", "edit", str(app / "shared.age"), "-r", recipient).code == 0

    def test_encrypts_for_who_is_new(self, podvisor: Podvisor, file: Path, key, editor) -> None:
        secret, recipient = age.new_identity()
        (file.parent / ".age-recipients").write_text(f"{recipient}\n")
        editor("true")
        assert podvisor("secret", "edit", str(file)).code == 0
        assert age.decrypt(file.read_bytes(), secret.encode()) == opened(key, file) == b"before"

    def test_what_cannot_be_opened(self, podvisor: Podvisor, app: Path, key: Path) -> None:
        podvisor("secret", "init")
        assert "there is no" in podvisor("secret", "edit", str(app / "none.age")).err
        (app / "x.age").write_bytes(age.encrypt(b"x", [age.new_identity()[1]]))
        said = podvisor("secret", "edit", str(app / "x.age"))
        assert said.code == 1
        assert "other keys" in said.err


class TestList:
    def test_shows_them(self, podvisor: Podvisor, daemon: Any) -> None:
        secrets = SecretList(
            secrets=(
                SecretStatus(
                    name="db",
                    state=SecretState.CURRENT,
                    app="web",
                    source="age:db.age",
                    units=("web.service",),
                ),
                SecretStatus(name="t", state=SecretState.MISSING, units=("web.service",)),
            )
        )
        plain = json.loads(msgspec.json.encode(secrets))
        daemon.answer("/v1/secrets", plain)
        said = podvisor("secret", "list")
        assert said.code == 3
        assert said.out.splitlines()[1].split() == [
            *("db", "current", "web", "age:db.age", "web.service")
        ]
        assert json.loads(podvisor("secret", "list", "--json").out) == plain

    def test_of_other_settings_than_the_daemons(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/status", {"running": True, "config": "/etc/other.toml"})
        said = podvisor("--config", "mine.toml", "secret", "list")
        assert said.code == 1
        assert "the daemon runs with /etc/other.toml" in said.err

    def test_of_a_daemon_of_another_version(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/secrets", {"secrets": [{"name": "db", "state": "brand new"}]})
        said = podvisor("secret", "list")
        assert said.code == 1
        assert "cannot read what the daemon answered" in said.err
        assert "systemctl --user restart podvisor" in said.err

    def test_none(self, podvisor: Podvisor, daemon: Any) -> None:
        daemon.answer("/v1/secrets", {"secrets": []})
        said = podvisor("secret", "list")
        assert (said.code, said.out) == (0, "No app describes or uses a secret.\n")


def test_programs_are_told_of_keys_and_files(podvisor: Podvisor, types, tmp_path: Path) -> None:
    (recipient,) = podvisor("secret", "init").out.split()
    told = json.loads(podvisor("secret", "init", "--json").out)
    fits(told, "secret-init")
    assert told == {"recipient": recipient}
    types(b"hidden")
    told = json.loads(podvisor("secret", "encrypt", "--app", str(tmp_path), "p", "--json").out)
    fits(told, "secret-encrypt")
    assert told == {"written": [f"{tmp_path}/p.age", f"{tmp_path}/p.secret"], "recipients": 1}
    assert podvisor("secret", "encrypt", "-o", "-", "--json").code == 64


class TestRotate:
    def test_asks_the_daemon(self, podvisor: Podvisor, daemon: Any) -> None:
        app = AppStatus(name="web", source="home", state=AppState.READY)
        daemon.answer("/v1/secrets/rotate", msgspec.to_builtins(SyncReply(apps=(app,))))
        said = podvisor("secret", "rotate", "key")
        assert said.code == 0, said.err
        assert "key has another value" in said.out
        assert daemon.asked[-1].body == {"name": "key"}
        told = json.loads(podvisor("secret", "rotate", "key", "--json").out)
        fits(told, "secret-rotate")
        assert [one["name"] for one in told["apps"]] == ["web"]

    def test_says_what_to_do_instead(self, podvisor: Podvisor, daemon: Any) -> None:
        refusal = {"detail": "cannot rotate db", "hint": "podvisor secret edit db.age"}
        daemon.answer("/v1/secrets/rotate", refusal, status=404)
        said = podvisor("secret", "rotate", "db")
        assert said.code == 1
        assert "podvisor secret edit db.age" in said.err

    def test_needs_the_daemon(self, podvisor: Podvisor) -> None:
        assert podvisor("secret", "rotate", "db").code == 4
