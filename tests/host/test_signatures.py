"""Images that somebody has to have signed: by keys of skopeo's, verified by the host's Podman."""

import json
import time
from dataclasses import dataclass

import pytest

from tests.host.image_scenes import Images, digest_of, pinned
from tests.host.scenes import app_of, main_pid, ready, sync

POLICY = ".config/containers/policy.json"
OWN = ("[X-Podvisor]", "VerifyImage=me.pub")


@dataclass(frozen=True, kw_only=True)
class Signing:
    """A web server, a registry, and people who sign what they push there."""

    images: Images

    @property
    def home(self) -> str:
        return f"/home/{self.images.user.name}"

    def key(self, name: str) -> str:
        """Make a pair of keys; gives the public one."""
        user = self.images.user
        user.write("passphrase", "")
        words = ["--output-prefix", f"{self.home}/{name}"]
        words += ["--passphrase-file", f"{self.home}/passphrase"]
        user.run("skopeo", "generate-sigstore-key", *words)
        return user.read(f"{name}.pub")

    def sign(self, name: str, key: str, *, identity: str = "") -> None:
        """Sign what is pushed already, under another name if one is given; its digest stays."""
        user, image = self.images.user, f"docker://{self.images.own.image(name)}"
        attached = f"docker:\n  {self.images.own.host}:\n    use-sigstore-attachments: true\n"
        user.write("signing/any.yaml", attached)
        # Neither the user's policy nor where it looks for signatures is the signer's.
        copy = ["skopeo", "--insecure-policy", "--registries.d", f"{self.home}/signing", "copy"]
        copy += ["--quiet", "--preserve-digests"]
        copy += ["--src-tls-verify=false", "--dest-tls-verify=false"]
        copy += ["--sign-by-sigstore-private-key", f"{self.home}/{key}.private"]
        copy += ["--sign-passphrase-file", f"{self.home}/passphrase"]
        copy += [f"--sign-identity={identity}"] if identity else []
        user.run(*copy, image, image)

    def start(self, *own: str) -> None:
        """Have the daemon run an app of these lines."""
        user = self.images.user
        user.write("apps/web/web.container", self.images.unit(*own))
        self.images.settings()
        user.start_daemon()

    def waits(self) -> str:
        """What the app is said to wait for."""
        return json.dumps(app_of(self.images.user, "web").get("waiting", ()))

    def next_try(self, *, after: float) -> float:
        """When the image is tried next, if that is later than in so many seconds; or nothing."""
        at = float(app_of(self.images.user, "web").get("next_pull_at", 0.0))
        return at if at > time.time() + after else 0.0

    def waits_for(self, words: str) -> None:
        __tracebackhide__ = True
        self.images.user.wait_for(lambda: words in self.waits(), what=words)


@pytest.fixture
def signing(user, registry):
    return Signing(images=Images.of(user, registry))


def test_only_what_is_signed_runs(signing):
    images, user = signing.images, signing.images.user
    user.write("apps/web/me.pub", signing.key("me"))
    first = images.push("one")
    signing.sign("web:latest", "me")
    signing.start(*OWN)
    # The policy of the machine takes anything: that is not enough, and nothing is pulled.
    signing.waits_for('/policy.json, \\"default\\", does not (podvisor trust')
    assert not digest_of(user)
    assert first not in user.podman("images", "--digests").stdout
    shown = user.podvisor("trust", "web", check=False)
    assert shown.returncode == 2
    assert f'+            "{images.own.host}/web": [' in shown.stdout
    assert not (user.home / POLICY).exists()
    user.podvisor("trust", "web", "--yes")
    ready(user, "web")
    images.answered("podvisor-test 1")
    assert (digest_of(user), pinned(user)) == (first, first)

    # One that nobody signed: the webhook tells of it, Podman refuses it, the first one runs on.
    pid = main_pid(user, "web.service")
    second = images.push("two")
    entry = f'/home/{user.name}/{POLICY}, \\"docker\\" \\"{images.own.host}/web\\"'
    signing.waits_for(f"{entry} asks for a signature with the key sha256:")
    assert "it has none that Podman finds" in signing.waits()
    assert main_pid(user, "web.service") == pid
    by_hand = user.podman("pull", f"{images.own.image('web')}@{second}", check=False)
    assert by_hand.returncode
    assert "no signature exists" in by_hand.stderr
    # It is signed, as cosign does it, after it was pushed; the registry tells of that.
    due = user.wait_for(lambda: signing.next_try(after=30), what="a try that is a while away")
    signing.sign("web:latest", "me")
    images.answered("podvisor-test 2")
    ready(user, "web")
    assert time.time() < due
    assert f"signed: {images.own.image('web')}@{second[:19]}" in user.podvisor("events").stdout
    assert (digest_of(user), pinned(user)) == (second, second)

    # One that somebody else signed.
    signing.key("other")
    images.push("three")
    signing.sign("web:latest", "other")
    signing.waits_for("and somebody else signed it")
    images.answered("podvisor-test 2")

    # What was verified starts without the registry.
    images.own.stop()
    user.systemctl("restart", "podvisor.service", "web.service")
    images.answered("podvisor-test 2")
    assert digest_of(user) == second


def test_what_was_here_before_is_verified_before_a_release_runs_it(signing):
    images, user = signing.images, signing.images.user
    user.write("apps/web/me.pub", signing.key("me"))
    first = images.push("one")
    signing.start()
    ready(user, "web")
    pid = main_pid(user, "web.service")
    user.write("apps/web/web.container", images.unit(*OWN))
    signing.waits_for("podvisor trust")
    user.podvisor("trust", "--yes", check=False)
    signing.waits_for("it has none that Podman finds")
    signing.sign("web:latest", "me")
    sync(user, "web")
    ready(user, "web")
    assert not app_of(user, "web").get("waiting")
    assert digest_of(user) == first
    assert main_pid(user, "web.service") == pid, "nothing restarts for it"


def test_another_key_in_the_source_is_not_the_hosts(signing):
    """Who can push can name a key, and has nothing run by it."""
    images, user = signing.images, signing.images.user
    user.write("apps/web/me.pub", signing.key("me"))
    first = images.push("one")
    signing.sign("web:latest", "me")
    signing.start(*OWN)
    signing.waits_for("podvisor trust")
    user.podvisor("trust", "--yes")
    ready(user, "web")
    policy = user.read(POLICY)
    key = signing.key("mallory")
    images.push("two")
    signing.sign("web:latest", "mallory")
    user.write("apps/web/me.pub", key)
    signing.waits_for("does not (podvisor trust")
    images.answered("podvisor-test 1")
    assert digest_of(user) == first
    assert user.read(POLICY) == policy


def test_what_a_mirror_has_is_verified_by_its_signatures_there(signing):
    """`podvisor trust` writes what Podman looks for: the mirror's name."""
    images, user = signing.images, signing.images.user
    name = "images.example.test/web"
    user.write(
        ".config/containers/registries.conf.d/mirror.conf",
        '[[registry]]\nlocation = "images.example.test"\n[[registry.mirror]]\n'
        f'location = "{images.own.host}"\ninsecure = true\n',
    )
    user.write("apps/web/me.pub", signing.key("me"))
    first = images.push("one")
    user.write("apps/web/web.container", images.unit(*OWN, image=f"{name}:latest"))
    images.settings()
    user.start_daemon()
    signing.waits_for("podvisor trust")
    shown = user.podvisor("trust", "web", "--yes", check=False).stdout
    assert f"fetched as {images.own.host}/web, too" in shown
    signing.waits_for("have it signed")
    signing.sign("web:latest", "me", identity=f"{name}:latest")
    user.podvisor("retry", "web")
    ready(user, "web")
    images.answered("podvisor-test 1")
    assert digest_of(user) == first


def test_a_policy_of_ones_own_keeps_what_it_says(signing):
    images, user = signing.images, signing.images.user
    reject = [{"type": "reject"}]
    anything = [{"type": "insecureAcceptAnything"}]
    policy = {"transports": {"docker": {"quay.io": reject}, "oci": {"": reject}}}
    text = json.dumps(policy | {"default": anything}, indent=2)
    user.write(POLICY, text)
    user.write("apps/web/me.pub", signing.key("me"))
    images.push("one")
    signing.sign("web:latest", "me")
    signing.start(*OWN)
    signing.waits_for("podvisor trust")
    user.podvisor("trust", "--yes")
    ready(user, "web")
    written = json.loads(user.read(POLICY))
    assert written["transports"]["docker"].pop(images.own.image("web"))
    assert json.dumps(written, indent=2) == text
    assert user.podman("pull", "quay.io/podman/hello", check=False).returncode
