"""Webhooks of a registry on a real host: Debian's tells, and is never kept waiting."""

import json
import time

import pytest
import yaml

from tests.host.registries import SECRET
from tests.host.scenes import deploy_folder, events, ready, service, status


@pytest.fixture
def own(user, own):
    """A registry, and a daemon that hears it: also of what podvisor asks it, which are pulls."""
    deploy_folder(user, {"hello/hello.service": service(1000)}, more=own.heard)
    ready(user, "hello")
    return own


def heard(user):
    (one,) = status(user)["registry_webhooks"]
    return one


def last_names(user, image):
    return user.wait_for(
        lambda: image in heard(user).get("last", ""), what=f"{image} in the status"
    )


def as_shown(own):
    """Start the registry with what `webhook show` prints, and with its figures on a port."""
    user = own.user
    shown = user.podvisor("webhook", "show", own.image("web:1"), "--reveal").stdout
    begin = shown.index("notifications:\n")
    snippet = yaml.safe_load(shown[begin : shown.index("\n\n", begin)])
    settings = json.loads(user.read(f"{own.name}/config.yml")) | snippet
    settings["http"]["debug"] = {"addr": f"127.0.0.1:{own.port + 2}"}
    user.write(f"{own.name}/config.yml", json.dumps(settings))
    user.systemctl("restart", own.service)


def figures(own):
    """What the registry counts of its one endpoint."""
    url = f"http://127.0.0.1:{own.port + 2}/debug/vars"
    said = json.loads(own.user.run("curl", "-sf", url).stdout)
    (endpoint,) = said["registry"]["notifications"]["endpoints"]
    return endpoint["Metrics"]


def test_a_push_is_told_as_shown_and_nothing_is_left_over(user, own):
    assert user.podvisor("webhook", "test", "ours").stdout.startswith("✓ ")
    as_shown(own)
    own.push("podvisor-test:1", "web:1", "web:latest")
    last_names(user, own.image("web:latest"))
    user.podman("pull", "--quiet", own.image("web:1"))
    own.push("podvisor-test:2", "web:2")
    last_names(user, own.image("web:2"))
    counted = user.wait_for(lambda: (one := figures(own))["Pending"] == 0 and one)
    assert set(counted["Statuses"]) == {"202 Accepted"}
    assert counted["Errors"] == counted["Failures"] == 0
    assert counted["Successes"] <= 6, "neither blobs nor pulls"
    assert SECRET not in user.journal("podvisor.service") + str(events(user))


def test_everything_is_told_without_being_kept_back(user, own):
    own.push("podvisor-test:1", "web:1")
    own.push("podvisor-test:2", "other:2")
    last_names(user, own.image("other:2"))
    user.podman("pull", "--quiet", own.image("web:1"))
    user.wait_for(lambda: "no image that was pushed" in heard(user)["last"], what="a pull ignored")
    assert not heard(user).get("refused")


def test_a_wrong_secret_is_refused_and_the_right_one_has_it_all(user, own):
    own.tell("Bearer other")
    own.push("podvisor-test:1", "web:1")
    user.wait_for(lambda: heard(user).get("refused"), what="a refusal")
    assert not heard(user).get("heard_at")
    user.write("hook-secret", "other", mode=0o600)
    last_names(user, own.image("web:1"))


def test_a_push_of_what_runs_here_is_one_question(user, own):
    own.push("podvisor-test:1", "web:1")
    image = own.image("web:1")
    unit = f"[Container]\nImage={image}\nAutoUpdate=registry\n[Install]\nWantedBy=default.target\n"
    user.write("apps/web/web.container", unit)
    ready(user, "hello", "web")
    user.wait_for(lambda: asked(own), what="a first question")
    before, accepted = len(asked(own)), heard(user).get("accepted", 0)
    digest = own.push("podvisor-test:2", "web:1")
    user.wait_for(lambda: heard(user).get("accepted", 0) > accepted, what="news")
    user.wait_for(lambda: len(asked(own)) > before, what="a question")
    time.sleep(3)
    assert len(asked(own)) <= before + 2, "a question, and another one if it was asked just now"
    assert image in user.podvisor("events").stdout
    running = ("ps", "--format={{.Image}}", "--filter=name=systemd-web")
    user.wait_for(lambda: digest in user.podman(*running).stdout, what="what was pushed")


def asked(own):
    """What the registry was asked of the tag, without a body: as podvisor does, and nobody else."""
    return [one for one in own.requests() if one[:2] == ("HEAD", "/v2/web/manifests/1")]
