"""What the scenarios share: small units, a source that holds them, and questions to podvisor."""

import contextlib
import json
import os
import time
from unittest import mock

import pytest

from supervisor.cli.daemon.client import NotRunning, Refused, ask
from tests.host.conftest import PATIENCE_SECONDS, pause

IMAGE = "localhost/podvisor-test"
OWNED = ".config/containers/systemd/podvisor"
WANTED = "\n[Install]\nWantedBy=default.target\n"


def service(seconds=1000000):
    """A plain service: the quickest thing that runs."""
    return f"[Service]\nExecStart=/bin/sleep {seconds}\n{WANTED}"


def sleeper(*more, image=f"{IMAGE}:1", wanted=WANTED):
    """A container without a network; further lines stand in its section from line 5 on."""
    lines = (f"Image={image}", "Exec=sleep infinity", "Network=none", *more)
    return "[Container]\n" + "".join(f"{line}\n" for line in lines) + wanted


def configure(user, *lines, source="home", more=""):
    """Write settings with one source; what settles does so in a second, unless they say else."""
    text = "".join(f"{line}\n" for line in lines)
    if "[rollout]" not in more:
        more = f'{more}\n[rollout]\nsettle = "1s"\n'
    user.write(".config/podvisor/config.toml", f"[sources.{source}]\n{text}{more}")


def deploy(user, git_server, files, *settings, more="", links=None):
    """A repository with these files, and the daemon at work on it."""
    repository = git_server.create(f"{user.name}-home")
    repository.commit(files, links=links)
    configure(user, f'git = "{repository.url}"', *settings, more=more)
    user.start_daemon()
    user.wait_for(lambda: status(user)["running"] and states(user), what="apps")
    return repository


def deploy_folder(user, files, *settings, more=""):
    """A folder with these files, and the daemon at work on it."""
    for path, text in files.items():
        user.write(f"apps/{path}", text)
    configure(user, 'folder = "~/apps"', *settings, more=more)
    user.start_daemon()


def status(user, app=""):
    """What `podvisor status --json` prints; asked of the daemon itself, since that costs little."""
    session = mock.patch.dict(os.environ, XDG_RUNTIME_DIR=user.runtime_outside)
    with contextlib.suppress(NotRunning, Refused), session:
        return json.loads(ask("/v1/status", query={"app": app}, timeout_seconds=10))
    done = user.podvisor("status", *([app] if app else []), "--json", check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def app_of(user, name):
    """How one app stands; empty if it is not there."""
    return next((one for one in status(user).get("apps", ()) if one["name"] == name), {})


def waiting_of(user, name):
    """What one app waits for, as it is shown."""
    needs = app_of(user, name).get("waiting", ())
    return [": ".join(filter(None, (one["text"], one.get("detail")))) for one in needs]


def states(user):
    """App to state."""
    return {one["name"]: one["state"] for one in status(user).get("apps", ())}


def wait_for_states(user, **wanted):
    __tracebackhide__ = True
    began = time.monotonic()
    while states(user) != wanted:
        if (waited := time.monotonic() - began) > PATIENCE_SECONDS:
            shown = user.podvisor("status", check=False).stdout
            pytest.fail(f"{wanted}: not within {PATIENCE_SECONDS} s\n{shown}")
        time.sleep(pause(waited))


def ready(user, *names):
    """Wait until these apps, and no others, are ready."""
    __tracebackhide__ = True
    wait_for_states(user, **dict.fromkeys(names, "ready"))


def finding(user, app):
    """The one finding of an app that is refused."""
    one = app_of(user, app)
    assert one["state"] == "refused", one
    (found,) = [found for found in one["findings"] if found.get("fatal", True)]
    return found


def source(user, name="home"):
    return next(one for one in status(user)["sources"] if one["name"] == name)


def events(user, **wanted):
    """Of what `podvisor events --json` prints; asked of the daemon itself, if there is one."""
    found = [json.loads(line) for line in printed_events(user).splitlines()]
    return [one for one in found if all(one.get(key) == value for key, value in wanted.items())]


def printed_events(user):
    session = mock.patch.dict(os.environ, XDG_RUNTIME_DIR=user.runtime_outside)
    with contextlib.suppress(NotRunning, Refused), session:
        return ask("/v1/events", query={"limit": 50}, timeout_seconds=10).decode()
    return user.podvisor("events", "--json").stdout


def sync(user, *arguments):
    """Bring everything up to date; the exit code is the test's to judge."""
    return user.podvisor("sync", *arguments, check=False)


def main_pid(user, unit):
    return user.unit_state(unit)["MainPID"]


def runs_anew(user, unit, before):
    """Whether a unit is up in another process than this one.

    While it starts it has a process already, but not yet a container.
    """
    state = user.unit_state(unit)
    return state["ActiveState"] == "active" and state["MainPID"] not in {before, "0"}


def page(user, port):
    """What a web server of the user's says; a container that is up may not be listening yet."""
    return user.run("curl", "-fsS", f"http://localhost:{port}/", check=False).stdout


def stop_podvisor(user):
    """Stop the daemon, which ends by itself and in seconds, by systemd's own clock."""
    __tracebackhide__ = True
    asked = time.monotonic()
    user.systemctl("stop", "podvisor.service")
    state = user.unit_state("podvisor.service")
    assert state["Result"] == "success", state["Result"]
    # One that was never ready yet has not left that state either.
    began = max(asked, int(state["ActiveExitTimestampMonotonic"]) / 1e6)
    took = int(state["InactiveEnterTimestampMonotonic"]) / 1e6 - began
    assert took < 20, f"it took {took:.1f} s to stop"


def active(user, *units):
    done = user.systemctl("is-active", *units, check=False)
    return done.stdout.split() == ["active"] * len(units)
