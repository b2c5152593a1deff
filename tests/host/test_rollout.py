"""The gate, the way back, and what people order, with real units and containers."""

import json
import signal

import pytest

from tests.host.scenes import (
    IMAGE,
    active,
    app_of,
    deploy,
    deploy_folder,
    events,
    main_pid,
    page,
    ready,
    service,
    sleeper,
    states,
    sync,
    wait_for_states,
)

SETTLE = '[rollout]\nsettle = "3s"\n'


def web(text, *more, image=f"{IMAGE}:1", command=""):
    """A web server that says `text`."""
    return {
        "apps/web/web.container": "\n".join(
            [
                "[Unit]",
                "StartLimitBurst=3",
                "[Container]",
                f"Image={image}",
                "Volume=./www:/srv:ro",
                "PublishPort=8095:8080",
                *([f"Exec={command}"] if command else []),
                *more,
                "[Install]",
                "WantedBy=default.target",
                "",
            ]
        ),
        "apps/web/www/index.html": f"{text}\n",
    }


@pytest.fixture
def repository(user, git_server):
    """A web server that runs, and is known to be good."""
    made = deploy(user, git_server, web("one"), more=SETTLE)
    ready(user, "web")
    assert page(user, 8095) == "one\n"
    return made


def test_a_revision_counts_only_after_it_settled(user, repository):
    good = repository.head
    mine = repository.commit(web("two"), "Say two", author="Ann <ann@example.org>", push=False)
    repository.commit({"README": "more\n"}, "Say more", author="Bo <bo@example.org>")
    user.podvisor("sync")
    (old, new) = [event["time"] for event in events(user, kind="applied")]
    (restart,) = events(user, step="restart")
    assert new - restart["time"] >= 2.5, "it was given time to fail"
    assert old < restart["time"]
    history = json.loads(user.podvisor("history", "web", "--json").stdout)
    assert [one["outcome"] for one in history["rollouts"]] == ["good", "good"]
    assert history["rollouts"][0]["subject"] == "Say two"
    assert [one["author"] for one in history["rollouts"]] == ["Ann", "Test"]
    assert [one["revision"] for one in history["rollouts"]] == [mine, good]
    (image,) = json.loads(user.podman("image", "inspect", f"{IMAGE}:1").stdout)
    newest, older = history["rollouts"]
    assert newest["images"] == older["images"] == {f"{IMAGE}:1": image["Id"]}
    assert history["running"] == newest["release"] != older["release"]
    said = user.podvisor("history", "web").stdout.splitlines()[1]
    assert f"{IMAGE}:1@{image['Id'][:12]}" in said
    assert "  Ann: Say two  " in said
    assert "“Say two” (author “Ann”)" in user.podvisor("status", "web").stdout
    assert "“Say two” (author “Ann”)" in user.podvisor("why", "web").stdout
    (applied,) = [one for one in events(user, kind="applied") if one["revision"] == mine]
    assert applied["detail"].startswith(f"release {newest['release'][:8]} runs with {IMAGE}:1@")
    assert applied["author"] == "Ann"


def test_what_dies_while_it_settles_is_taken_back(user, repository):
    good = repository.head
    repository.commit(web("two", image=f"{IMAGE}:crash", command='/bin/sh -c "sleep 1; exit 1"'))
    done = sync(user)
    assert done.returncode == 3, done.stdout
    assert states(user) == {"web": "reverted"}
    user.wait_for(lambda: page(user, 8095) == "one\n", what="the old version")
    (verdict,) = events(user, kind="reverted")
    assert not verdict["ok"]
    assert "web.service failed" in verdict["reason"]
    quarantine = events(user, step="quarantine")[0]["time"]
    starts = [*events(user, step="restart"), *events(user, step="start")]
    (back,) = [one for one in starts if one["time"] > quarantine]
    assert back["time"] - quarantine < 20, "at once, not at the end of a backoff"
    assert not [one for one in events(user, kind="applied") if one["revision"] != good]
    pid = main_pid(user, "web.service")
    # Not tried again by the next sync, nor by a commit that is about something else.
    repository.commit({"README": "more\n"})
    assert sync(user).returncode == 3
    assert main_pid(user, "web.service") == pid
    repository.commit(web("three"))
    assert sync(user).returncode == 0
    assert page(user, 8095) == "three\n"


def test_what_ends_with_status_0_is_taken_back_with_what_it_said_last(user, repository):
    repository.commit(web("two", command='/bin/sh -c "sleep 1; echo no config; exit 0"'))
    assert sync(user).returncode == 3
    assert states(user) == {"web": "reverted"}
    (verdict,) = events(user, kind="reverted")
    said = "web.service did not stay up: it ended with status 0: no config"
    assert verdict["reason"].endswith(said)


def test_what_cannot_start_and_what_is_sick_is_taken_back(user, repository):
    for number, bad in enumerate(
        (web("x", "PodmanArgs=--no-such-flag"), web("y", image=f"{IMAGE}:sick")), start=1
    ):
        repository.commit(bad)
        assert sync(user).returncode == 3
        assert states(user) == {"web": "reverted"}
        assert len(events(user, kind="reverted")) == number
        user.wait_for(lambda: page(user, 8095) == "one\n", what="the old version")


def test_what_went_down_with_it_comes_back_too(user, git_server):
    db = service().replace("[Service]", "[Service]\nRestart=no")
    needs = f"[Unit]\nRequires=db.service\nAfter=db.service\n{service()}"
    files = {"apps/db/db.service": db, "apps/front/front.service": needs}
    repository = deploy(user, git_server, files, more=SETTLE)
    ready(user, "db", "front")
    repository.commit({"apps/db/db.service": db.replace("/bin/sleep 1000000", "/bin/false")})
    assert sync(user).returncode == 3
    user.wait_for(lambda: active(user, "db.service", "front.service"), what="both")
    wait_for_states(user, db="reverted", front="ready")


def test_the_first_revision_is_kept_and_repaired(user, git_server):
    repository = deploy(user, git_server, web("x", image=f"{IMAGE}:crash"), more=SETTLE)
    user.wait_for(lambda: states(user) == {"web": "failing"}, what="a crash loop")
    assert not events(user, kind="reverted")
    repository.commit(web("one"))
    assert sync(user).returncode == 0
    assert page(user, 8095) == "one\n"


def test_killed_in_the_middle_of_a_trial(user, repository):
    bad = web("two", image=f"{IMAGE}:crash", command='/bin/sh -c "sleep 2; exit 1"')
    repository.commit(bad)
    user.systemctl("kill", f"-s{signal.SIGKILL.value}", "podvisor.service")
    user.wait_for(lambda: active(user, "podvisor.service"), what="podvisor again")
    wait_for_states(user, web="reverted")
    user.wait_for(lambda: page(user, 8095) == "one\n", what="the old version")


def test_a_person_rolls_back(user, repository):
    first = repository.head
    repository.commit(web("two"))
    assert sync(user).returncode == 0
    done = user.podvisor("rollback", "web", "--reason", "too blue")
    assert "too blue" in done.stdout
    assert page(user, 8095) == "one\n"
    assert states(user) == {"web": "held"}
    assert app_of(user, "web")["held"]["instead_of"] == repository.head
    assert sync(user).returncode == 0
    assert page(user, 8095) == "one\n"
    # It outlives a restart, and a commit elsewhere.
    repository.commit({"apps/more/more.service": service()})
    user.systemctl("restart", "podvisor.service")
    wait_for_states(user, web="held", more="ready")
    user.podvisor("resume", "web")
    user.wait_for(lambda: page(user, 8095) == "two\n", what="what the source says")
    ready(user, "web", "more")
    user.podvisor("rollback", "web", first[:10])
    assert page(user, 8095) == "one\n"
    repository.commit(web("three"))
    assert sync(user).returncode == 0
    assert page(user, 8095) == "three\n"
    ready(user, "web", "more")
    refused = user.podvisor("rollback", "web", "0000", check=False)
    assert refused.returncode == 1
    assert "podvisor history" in refused.stderr


def test_what_is_suspended_is_left_alone(user):
    deploy_folder(user, {"a/a.container": sleeper(), "b/b.service": service()})
    ready(user, "a", "b")
    user.podvisor("suspend", "a", "--reason", "by hand")
    pid = main_pid(user, "b.service")
    user.write("apps/a/a.container", sleeper("Environment=A=1"))
    user.write("apps/b/b.service", service(2000000))
    user.systemctl("stop", "a.service")
    user.wait_for(lambda: main_pid(user, "b.service") not in {pid, "0"}, what="the other app")
    wait_for_states(user, a="suspended", b="ready")
    assert not active(user, "a.service")
    user.wait_for(
        lambda: any("a.service" in line for line in app_of(user, "a").get("held_back", ())),
        what="what would be done for it",
    )
    assert "by hand" in user.podvisor("status", check=False).stdout
    user.podvisor("suspend", "a", "--for", "4s")
    ready(user, "a", "b")
    assert active(user, "a.service")


def test_history_is_there_without_a_daemon(user, repository):
    user.systemctl("stop", "podvisor.service")
    done = user.podvisor("history", "web")
    assert repository.head[:8] in done.stdout
    unknown = user.podvisor("history", "none", check=False)
    assert (unknown.returncode, "none" in unknown.stderr) == (1, True)


def test_back_where_nothing_starts_it_the_failure_of_the_revision_between_is_forgotten(
    user, git_server
):
    idle = "[Service]\nExecStart=/bin/sleep infinity\n"
    repository = deploy(user, git_server, {"apps/idle/idle.service": idle}, more=SETTLE)
    wait_for_states(user, idle="inactive")
    repository.commit({"apps/idle/idle.service": service("nonsense")})
    assert sync(user).returncode == 3
    wait_for_states(user, idle="reverted")
    (unit,) = app_of(user, "idle")["units"]
    assert (unit["active"], unit["unstarted"]) == ("inactive", True)
    assert not events(user, kind="failed")
    user.run("systemctl", "--user", "start", "idle.service")
    user.run("systemctl", "--user", "kill", "--signal=SIGKILL", "idle.service")
    user.wait_for(lambda: events(user, kind="failed"))
    assert app_of(user, "idle")["units"][0]["active"] == "failed", "it is of this revision"
