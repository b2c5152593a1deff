"""`podvisor trust`: Podman's files for signatures, shown and written."""

import json
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest

from supervisor.cli import codes
from supervisor.cli.daemon.client import Refused
from supervisor.cli.local.trust import changes, write_all
from supervisor.core.images.public_key import fingerprint, read_public_key
from supervisor.model.image_status import AskedSignature
from tests.cli.test_json_schema import fits
from tests.core.images.test_public_key import ECDSA, ED25519

POLICY = ".config/containers/policy.json"
ATTACHED = ".config/containers/registries.d/podvisor.yaml"
OTHER = ".config/containers/registries.d/other.yaml"
ANYTHING = [{"type": "insecureAcceptAnything"}]


def asked(app="web", key=ECDSA, name="ghcr.io/me/web", fetched_as=()):
    der = read_public_key(key)
    return {
        "app": app,
        "path": f"{app}.container",
        "image": f"{name}@sha256:{'1' * 64}",
        "repository": name,
        "fetched_as": [*fetched_as, name],
        "key": {
            "path": "me.pub",
            "der": b64encode(der).decode(),
            "fingerprint": fingerprint(der),
        },
    }


@pytest.fixture
def files(home: Path):
    """A policy of the user's own, as a link into a folder of settings."""
    (home / "dotfiles").mkdir()
    policy = {"transports": {"docker": {"quay.io": [{"type": "reject"}]}}, "default": ANYTHING}
    (home / "dotfiles/policy.json").write_text(json.dumps(policy, indent=1))
    (home / POLICY).parent.mkdir(parents=True)
    (home / POLICY).symlink_to(home / "dotfiles/policy.json")
    return home


def test_it_shows_what_it_would_write(files, daemon, podvisor):
    daemon.answer("/v1/signatures", {"images": [asked()]})
    before = (files / POLICY).read_text()
    done = podvisor("trust")
    assert done.code == codes.CHANGES
    assert f"sha256:{fingerprint(read_public_key(ECDSA))}" in done.out, "whole, to be compared"
    assert f"--- {files / POLICY}\n+++ {files / POLICY}\n" in done.out
    assert '+   "ghcr.io/me/web": [\n' in done.out
    assert f"--- /dev/null\n+++ {files / ATTACHED}\n" in done.out
    assert "Nothing is written." in done.out
    assert (files / POLICY).read_text() == before
    assert not (files / ATTACHED).exists()


def test_it_writes_it_and_has_the_app_tried_again(files, daemon, podvisor):
    daemon.answer("/v1/signatures", {"images": [asked()]})
    daemon.answer("/v1/sync", {"reply": {"apps": [{"name": "web", "state": "ready"}]}})
    done = podvisor("trust", "web", "--yes")
    assert done.code == codes.OK, done.err
    assert (files / POLICY).is_symlink()
    written = json.loads((files / "dotfiles/policy.json").read_text())
    assert list(written) == ["transports", "default"]
    assert list(written["transports"]["docker"]) == ["quay.io", "ghcr.io/me/web"]
    assert "ghcr.io/me/web" in (files / ATTACHED).read_text()
    assert daemon.asked[-1].body == {"apps": ["web"]}
    done = podvisor("trust")
    assert done.code == codes.OK
    assert "asks for these signatures already" in done.out


def test_programs_are_told_what_would_be_written_and_what_was(files, daemon, podvisor):
    daemon.answer("/v1/signatures", {"images": [asked()]})
    done = podvisor("trust", "--json")
    told = json.loads(done.out)
    assert done.code == codes.CHANGES
    assert [one["path"] for one in told["changes"]] == [str(files / ATTACHED), str(files / POLICY)]
    assert '+   "ghcr.io/me/web": [' in told["changes"][1]["diff"].splitlines()
    assert not told["written"]
    assert not (files / ATTACHED).exists()

    state = {"apps": [{"name": "web", "source": "home", "state": "failing"}]}
    daemon.answer("/v1/sync", {"event": {}}, {"reply": state})
    done = podvisor("trust", "--json", "--yes")
    told = json.loads(done.out)
    fits(told, "trust")
    assert (done.code, told["written"], told["reply"]) == (codes.NOT_WELL, True, state)
    assert "ghcr.io/me/web" in (files / ATTACHED).read_text()

    done = podvisor("trust", "--json", "--yes")
    told = json.loads(done.out)
    fits(told, "trust")
    assert (done.code, told["changes"], told["written"]) == (codes.OK, [], False)


def test_without_a_policy_of_ones_own_that_of_the_machine_is_taken_along(home, daemon, podvisor):
    daemon.answer("/v1/signatures", {"images": [asked()]})
    daemon.answer("/v1/sync", {"reply": {"apps": [{"name": "web", "state": "ready"}]}})
    assert podvisor("trust", "--yes").code == codes.OK
    assert "default" in json.loads((home / POLICY).read_text())


@pytest.mark.parametrize("arguments", [["db"], ["web", "db"]])
def test_an_app_that_asks_for_none(files, daemon, podvisor, arguments):
    daemon.answer("/v1/signatures", {"images": [asked()]})
    done = podvisor("trust", *arguments)
    assert done.code == codes.ERROR
    assert "no app named “db” asks for a signature" in done.err


def test_nobody_asks(files, daemon, podvisor):
    daemon.answer("/v1/signatures", {"images": []})
    done = podvisor("trust")
    assert (done.code, done.out) == (0, "No app asks for a signature (VerifyImage=).\n")


def test_two_keys_for_one_image_are_for_a_person(files, daemon, podvisor):
    images = [asked(), asked("db", ED25519)]
    daemon.answer("/v1/signatures", {"images": images})
    done = podvisor("trust", "--yes")
    assert done.code == codes.ERROR
    assert "is to be signed with web/me.pub" in done.err
    daemon.answer("/v1/sync", {"reply": {"apps": [{"name": "db", "state": "ready"}]}})
    assert podvisor("trust", "db", "--yes").code == codes.OK


def test_a_narrower_entry_is_said(files, daemon, podvisor):
    one = asked()
    policy = {"default": ANYTHING, "transports": {"docker": {one["image"]: ANYTHING}}}
    (files / POLICY).write_text(json.dumps(policy))
    daemon.answer("/v1/signatures", {"images": [one]})
    done = podvisor("trust", "--yes")
    assert done.code == codes.ERROR
    assert "does not ask for the signature of ghcr.io/me/web@sha256:" in done.err


@pytest.mark.parametrize("text", ["{bad", "\xff", "[]", " " * (1 << 20) + "{} "])
def test_a_policy_that_cannot_be_changed(files, daemon, podvisor, text):
    (files / POLICY).write_text(text, encoding="latin-1")
    daemon.answer("/v1/signatures", {"images": [asked()]})
    done = podvisor("trust", "--yes")
    assert done.code == codes.ERROR
    assert f"cannot change {files / POLICY}" in done.err
    assert (files / POLICY).read_text(encoding="latin-1") == text


def everything(home):
    """What is where Podman's settings are of the user's own."""
    found = sorted((home / ".config").rglob("*"))
    return {one: one.read_text() if one.is_file() else None for one in found}


def test_without_room_for_the_attachments_the_policy_stays(files, daemon, podvisor):
    """Podman would refuse each pull of an image of which it does not know where signatures are."""
    (files / ATTACHED).parent.write_text("no folder")
    before = everything(files)
    daemon.answer("/v1/signatures", {"images": [asked()]})
    done = podvisor("trust", "--yes")
    assert done.code == codes.ERROR
    assert f"cannot write {files / ATTACHED}" in done.err
    assert "wrote" not in done.out
    assert everything(files) == before


@pytest.mark.parametrize("folder", ["", "empty", "full"])
def test_without_room_for_the_policy_the_attachments_are_taken_back(
    files, daemon, podvisor, folder
):
    """An empty folder of the user's own would count instead of the machine's, too."""
    (files / "dotfiles/policy.json").unlink()
    (files / "dotfiles").rmdir()
    (files / "dotfiles").write_text("no folder")
    if folder:
        (files / ATTACHED).parent.mkdir()
    if folder == "full":
        (files / ATTACHED).write_text("docker:\n  quay.io/me:\n    lookaside: https://a\n")
    before = everything(files)
    daemon.answer("/v1/signatures", {"images": [asked()]})
    done = podvisor("trust", "--yes")
    assert done.code == codes.ERROR
    assert f"cannot write {files / POLICY}" in done.err
    assert everything(files) == before


def test_of_a_mirror_its_own_name_counts(files, daemon, podvisor):
    """Podman looks where it fetches the image; what it asks for is said by the image's name."""
    mirrored = asked(fetched_as=["localhost:5000/web", "m.example/web"])
    daemon.answer("/v1/signatures", {"images": [mirrored]})
    daemon.answer("/v1/sync", {"reply": {"apps": [{"name": "web", "state": "ready"}]}})
    done = podvisor("trust", "--yes")
    assert done.code == codes.OK, done.err
    assert "  fetched as localhost:5000/web, too: where its signatures have to be" in done.out
    docker = json.loads((files / POLICY).read_text())["transports"]["docker"]
    assert list(docker) == ["quay.io", "ghcr.io/me/web"]
    written = [
        line.strip(' ":') for line in (files / ATTACHED).read_text().splitlines() if '"' in line
    ]
    assert written == ["localhost:5000/web", "m.example/web", "ghcr.io/me/web"]
    assert "asks for these signatures already" in podvisor("trust").out


def test_an_entry_of_a_mirror_without_it_is_for_a_person(files, daemon, podvisor):
    (files / OTHER).parent.mkdir()
    (files / OTHER).write_text("docker:\n  m.example/web:\n    lookaside: https://c\n")
    daemon.answer("/v1/signatures", {"images": [asked(fetched_as=["m.example/web"])]})
    done = podvisor("trust", "--yes")
    assert done.code == codes.ERROR
    assert "write use-sigstore-attachments: true for m.example/web there" in done.err


def test_the_policy_is_written_last(files, daemon, podvisor):
    """Whatever ends it in the middle: of the two, only the policy has anything refused."""
    daemon.answer("/v1/signatures", {"images": [asked()]})
    shown = [line for line in podvisor("trust").out.splitlines() if line.startswith("+++")]
    assert shown == [f"+++ {files / ATTACHED}", f"+++ {files / POLICY}"]


@pytest.mark.parametrize("before", ["", "docker:\n  quay.io/me:\n    lookaside: https://a\n"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (POLICY, '{"default": [{"type": "reject"}]}'),
        (POLICY, "{bad"),
        (POLICY, None),
        (ATTACHED, "docker:\n  quay.io/me:\n    lookaside: https://b\n"),
        (OTHER, "docker:\n  ghcr.io/me:\n    use-sigstore-attachments: true\n"),
        (OTHER, "docker:\n  ghcr.io/me/web:\n    lookaside: https://c\n"),
        (OTHER, "{bad"),
    ],
)
def test_what_has_changed_since_it_was_shown_is_not_overwritten(files, before, name, text):
    if before:
        (files / ATTACHED).parent.mkdir()
        (files / ATTACHED).write_text(before)
    images = [msgspec.convert(asked(), AskedSignature)]
    shown = changes(images, files)
    path = files / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text) if text else path.unlink()
    then = everything(files)
    with pytest.raises(Refused) as caught:
        write_all(shown, images=images, home=files)
    assert "changed since" in str(caught.value) or "cannot change" in str(caught.value)
    assert caught.value.hint
    assert everything(files) == then
