"""SIGKILL at every moment of a pass: the next start converges, nothing half-installed is loaded."""

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.certificate_scenes import nginx_unit, served
from tests.host.conftest import UNITS, User
from tests.host.image_scenes import Images, digest_of, pinned
from tests.host.scenes import IMAGE, active, configure, deploy_folder, page, ready, service

HARNESS = Path(__file__).with_name("kill_after.py")
SUITES = ("trixie", "forky")
OWNED = ".config/containers/systemd/podvisor/blog"


JOB = f"""\
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat "$$1" >>"$$2"' job %h/{OWNED}/conf/index.html %h/ran

[X-Podvisor]
Run=before-deploy
"""


def version(number: int, port: int) -> dict[str, str | None]:
    """Two versions that differ in every kind of step: files, a network, a unit more or less."""
    even = number % 2 == 0
    network = "front" if even else "back"
    other = "back" if even else "front"
    extra = "extra" if even else "other"
    gone = "other" if even else "extra"
    container = (
        f"[Container]\nImage={IMAGE}:1\nNetwork={network}.network\nVolume=./conf:/srv:ro\n"
        f"PublishPort={port}:8080\n\n[Install]\nWantedBy=default.target\n"
    )
    sleeper = (
        f"[Container]\nImage={IMAGE}:1\nExec=sleep infinity\n[Install]\nWantedBy=default.target\n"
    )
    plain = (
        f"[Service]\nExecStart=/bin/sleep {1000 + number % 2}\n[Install]\nWantedBy=default.target\n"
    )
    return {
        "apps/blog/web.container": container,
        f"apps/blog/{network}.network": "[Network]\n",
        f"apps/blog/{other}.network": None,
        f"apps/blog/{extra}.container": sleeper,
        f"apps/blog/{gone}.container": None,
        "apps/blog/plain.service": plain,
        "apps/blog/job.service": JOB,
        "apps/blog/conf/index.html": f"version {number}\n",
        "apps/keep/keep.service": "[Service]\nExecStart=/bin/sleep infinity\n"
        "[Install]\nWantedBy=default.target\n",
    }


def moments(user: User, first: int, *, apart: int) -> Iterator[int]:
    """Numbers of the moments to kill at; the two suites share them."""
    return itertools.count(first + SUITES.index(user.host.suite) * apart // 2, apart)


def killed(user: User, moment: int, command: str) -> bool:
    """Have a daemon carry out a command until its nth moment; whether it came to that one."""
    harness = user.write("kill_after.py", HARNESS.read_text())
    inside = f"/home/{user.name}"
    config = f"{inside}/.config/podvisor/config.toml"
    argv = ("/opt/podvisor/bin/python", f"{inside}/{harness.name}", config, str(moment), command)
    done = user.run(*argv, check=False)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def make_mortal(user):
    """Have the service run a daemon that dies at as many moments as stand in `moments`, if any."""
    user.write("kill_after.py", HARNESS.read_text())
    command = "/opt/podvisor/bin/python %h/kill_after.py %h/.config/podvisor/config.toml"
    text = f"[Service]\nExecStart=\nExecStart={command}\nRestart=no\n"
    user.write(f"{UNITS}/podvisor.service.d/mortal.conf", text)
    user.systemctl("daemon-reload")
    user.systemctl("restart", "podvisor.service")


def test_killed_between_every_two_steps(user, git_server):
    """Each daemon brings to its end what the one before it was killed at, before it is killed."""
    repository = git_server.create(f"{user.name}-killed")
    first = {name: text for name, text in version(0, user.port).items() if text is not None}
    repository.commit(first)
    configure(user, f'git = "{repository.url}"')
    user.start_daemon()
    ready(user, "blog", "keep")
    make_mortal(user)
    for number, moment in enumerate(moments(user, 1, apart=2), 1):
        before, after = version(number - 1, user.port), version(number, user.port)
        repository.commit(after, f"Version {number}")
        counting = user.write("moments", str(moment))
        died = user.podvisor("sync", check=False).returncode != 0
        if died:
            user.wait_for(lambda: ended(user) == ("failed", "signal"), what="the end of the daemon")
        counting.unlink()
        assert active(user, "keep.service"), "an app that did not change is never touched"
        whole_and_loadable(user, before, after)
        if not died:
            break
        user.systemctl("start", "podvisor.service")
        converged(user, number, after)
    assert number > 7, "each act of the pass was a place to die at"


def ended(user):
    state = user.unit_state("podvisor.service")
    return state["ActiveState"], state["Result"]


def whole_and_loadable(user, before, after):
    """Every file is one version or the other; the generator takes what stands there."""
    for path in (user.home / OWNED).rglob("*"):
        if path.is_file() and not path.name.startswith(".podvisor"):
            name = f"apps/blog/{path.relative_to(user.home / OWNED)}"
            assert path.read_text() in {before.get(name), after.get(name)}
    judged = user.run(
        "env",
        f"QUADLET_UNIT_DIRS=/home/{user.name}/.config/containers/systemd",
        "/usr/libexec/podman/quadlet",
        "-dryrun",
        "-user",
        check=False,
    )
    assert judged.returncode == 0, judged.stderr


def converged(user, number, after):
    ready(user, "blog", "keep")
    user.wait_for(lambda: page(user, user.port) == f"version {number}\n")
    assert user.read("ran").splitlines()[-1] == f"version {number}", "its job ran, too"
    there = {
        f"apps/blog/{path.relative_to(user.home / OWNED)}"
        for path in (user.home / OWNED).rglob("*")
        if path.is_file() and not path.name.startswith(".podvisor")
    }
    assert there == {name for name, text in after.items() if text and "blog" in name}
    gone = "other" if number % 2 == 0 else "extra"
    assert user.unit_state(f"{gone}.service")["LoadState"] == "not-found"


@pytest.fixture
def images(user, registry):
    """A web server that runs, whose releases count as soon as it is up."""
    images = Images.of(user, registry)
    images.deploy(settle="0s")
    return images


def test_killed_in_the_middle_of_an_images_rollout(images):
    """Of some 16 moments; it goes on to the new one."""
    user, versions = images.user, itertools.cycle(("two", "one"))
    for moment in itertools.islice(moments(user, 2, apart=5), 3):
        user.systemctl("stop", "podvisor.service")
        before, after = digest_of(user), images.push(next(versions))
        assert killed(user, moment, "update")
        old_or_new(user, before, after)
        assert user.unit_state("web.service")["ActiveState"] in {"active", "activating"}
        user.systemctl("start", "podvisor.service")
        user.wait_for(lambda after=after: digest_of(user) == after)
        ready(user, "web")
        assert pinned(user) == after


def test_killed_on_the_way_back_from_an_image(images):
    """Of some 25 moments, the first half of them as above; the old one answers again."""
    user = images.user
    good = digest_of(user)
    for moment in itertools.islice(moments(user, 14, apart=5), 2):
        user.systemctl("stop", "podvisor.service")
        bad = images.push_lacking(moment)
        assert killed(user, moment, "update")
        old_or_new(user, good, bad)
        user.systemctl("start", "podvisor.service")
        images.taken_back(bad)
        images.answered("podvisor-test 1")
        assert pinned(user) == digest_of(user) == good


def old_or_new(user, old, new):
    """What systemd is to start is one of the two; there are not two containers of the unit."""
    assert pinned(user) in {old, new}
    assert digest_of(user) in {old, new, ""}
    listed = user.podman("ps", "--filter=label=PODMAN_SYSTEMD_UNIT=web.service", "--quiet")
    assert len(listed.stdout.split()) <= 1


def test_killed_between_every_two_steps_to_a_certificate(user, acme, port):
    """One daemon goes on where the one before it was killed: one certificate comes of it."""
    # What proves a name is gone with the process: an issuer that looks then fails the order.
    acme.start(environment="PEBBLE_VA_ALWAYS_VALID=1")
    deploy_folder(user, {"keep/keep.service": service()}, more=acme.settings())
    ready(user, "keep")
    user.systemctl("stop", "podvisor.service")
    for path, text in nginx_unit(user, port).items():
        user.write(f"apps/{path}", text)
    ends = itertools.takewhile(
        lambda moment: killed(user, moment, "sync"), moments(user, 1, apart=2)
    )
    assert len([*ends]) > 2, "each act was a place to die at"
    user.systemctl("start", "podvisor.service")
    ready(user, "web", "keep")
    assert acme.orders() == 1
    assert [served(user, port, acme.trust)] == acme.issued()
