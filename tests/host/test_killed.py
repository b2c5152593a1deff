"""SIGKILL at every moment of a pass: the next start converges, nothing half-installed is loaded."""

import itertools
import signal
from pathlib import Path

from tests.host.scenes import IMAGE, active, configure, page, ready

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


def version(number: int) -> dict[str, str | None]:
    """Two versions that differ in every kind of step: files, a network, a unit more or less."""
    even = number % 2 == 0
    network = "front" if even else "back"
    other = "back" if even else "front"
    extra = "extra" if even else "other"
    gone = "other" if even else "extra"
    container = (
        f"[Container]\nImage={IMAGE}:1\nNetwork={network}.network\nVolume=./conf:/srv:ro\n"
        "PublishPort=8090:8080\n\n[Install]\nWantedBy=default.target\n"
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


def test_killed_between_every_two_steps(user, git_server):
    """The two suites share the moments: each is killed at every other one."""
    repository = git_server.create(f"{user.name}-killed")
    first = {name: text for name, text in version(0).items() if text is not None}
    repository.commit(first)
    configure(user, f'git = "{repository.url}"')
    user.start_daemon()
    ready(user, "blog", "keep")
    harness = user.write("kill_after.py", HARNESS.read_text())
    inside = f"/home/{user.name}"
    killed = 0
    first_moment = 1 + SUITES.index(user.host.suite)
    for number, moment in enumerate(itertools.count(first_moment, len(SUITES)), 1):
        user.systemctl("stop", "podvisor.service")
        before, after = version(number - 1), version(number)
        repository.commit(after, f"Version {number}")
        done = user.run(
            "/opt/podvisor/bin/python",
            f"{inside}/{harness.name}",
            f"{inside}/.config/podvisor/config.toml",
            str(moment),
            check=False,
        )
        assert active(user, "keep.service"), "an app that did not change is never touched"
        whole_and_loadable(user, before, after)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
        user.systemctl("start", "podvisor.service")
        converged(user, number, after)
    assert killed >= 7, "each act of the pass was a place to die at"


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
    user.wait_for(lambda: page(user, 8090) == f"version {number}\n")
    assert user.read("ran").splitlines()[-1] == f"version {number}", "its job ran, too"
    there = {
        f"apps/blog/{path.relative_to(user.home / OWNED)}"
        for path in (user.home / OWNED).rglob("*")
        if path.is_file() and not path.name.startswith(".podvisor")
    }
    assert there == {name for name, text in after.items() if text and "blog" in name}
    gone = "other" if number % 2 == 0 else "extra"
    assert user.unit_state(f"{gone}.service")["LoadState"] == "not-found"
