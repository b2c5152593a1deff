"""The main job on a real host: Git to running containers, kept running."""

import json

import pytest

from tests.host.scenes import (
    IMAGE,
    active,
    configure,
    events,
    main_pid,
    page,
    ready,
    runs_anew,
    status,
    stop_podvisor,
)

WEB = f"""\
[Container]
Image={IMAGE}:1
Network=site.network
Volume=data.volume:/data
Volume=./conf:/srv:ro
PublishPort=8090:8080

[Install]
WantedBy=default.target
"""
SIDE = f"""\
[Container]
Image={IMAGE}:1
Exec=sleep infinity
Network=site.network

[Install]
WantedBy=default.target
"""
BLOG = {
    "apps/blog/web.container": WEB,
    "apps/blog/side.container": SIDE,
    "apps/blog/site.network": "[Network]\n",
    "apps/blog/data.volume": "[Volume]\n",
    "apps/blog/conf/index.html": "hello from the first revision\n",
}
BACKUP = {
    "apps/backup/backup.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "apps/backup/backup.timer": "[Timer]\nOnCalendar=yearly\n\n[Install]\nWantedBy=timers.target\n",
}
HELLO = {
    "apps/hello/hello.service": (
        "[Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=default.target\n"
    ),
}


@pytest.fixture
def deployed(user, git_server, request):
    """Three apps from Git over HTTP, and the daemon."""
    repository = git_server.create(f"{user.name}-home")
    repository.commit({**BLOG, **BACKUP, **HELLO})
    configure(user, f'git = "{repository.url}"')
    user.start_daemon()
    ready(user, "backup", "blog", "hello")
    assert active(user, "web.service", "side.service", "backup.timer", "hello.service")
    return repository


def test_three_apps_from_git_over_http(user, deployed):
    told = status(user)
    assert {one["name"]: one["state"] for one in told["apps"]} == {
        "backup": "ready",
        "blog": "ready",
        "hello": "ready",
    }
    assert told["sources"][0]["revision"] == deployed.head
    user.wait_for(lambda: page(user, 8090) == "hello from the first revision\n")
    assert json.loads(user.podvisor("plan", "--json").stdout)["steps"] == []
    assert user.podvisor("plan", "--exit-code", check=False).returncode == 0


def test_a_pushed_change_restarts_only_its_unit(user, deployed):
    before = {unit: main_pid(user, unit) for unit in ("web.service", "side.service")}
    deployed.commit({"apps/blog/conf/index.html": "second\n"})
    assert user.podvisor("plan", "--exit-code", check=False).returncode == 2
    user.podvisor("sync")
    user.wait_for(lambda: page(user, 8090) == "second\n")
    assert main_pid(user, "side.service") == before["side.service"]
    assert main_pid(user, "web.service") != before["web.service"]
    (restart,) = events(user, step="restart")
    assert restart["unit"] == "web.service"
    assert restart["reason"] == "conf/index.html changed"
    assert restart["revision"] == deployed.head


def test_a_refused_push_leaves_the_old_one_running(user, deployed):
    pid = main_pid(user, "web.service")
    deployed.commit(
        {
            "apps/blog/web.container": WEB.replace("PublishPort=8090:8080", "Bogus=1"),
            "apps/hello/hello.service": HELLO["apps/hello/hello.service"] + "# changed\n",
        }
    )
    done = user.podvisor("sync", check=False)
    assert done.returncode == 3
    (blog,) = [one for one in status(user)["apps"] if one["name"] == "blog"]
    assert blog["state"] == "refused"
    assert "Bogus" in blog["findings"][0]["message"]
    assert blog["findings"][0]["path"] == "apps/blog/web.container"
    assert blog["findings"][0]["line"] == 6
    assert main_pid(user, "web.service") == pid
    assert "Bogus" not in user.read(".config/containers/systemd/podvisor/blog/web.container")


def test_a_killed_container_comes_back(user, deployed):
    pid = main_pid(user, "web.service")
    user.podman("kill", "systemd-web")
    user.wait_for(lambda: runs_anew(user, "web.service", pid))
    user.wait_for(lambda: page(user, 8090))
    user.wait_for(
        lambda: any("should run" in one["reason"] for one in events(user, unit="web.service"))
    )


@pytest.mark.parametrize("command", [("stop", "web.service"), ("kill", "-sKILL", "web.service")])
def test_a_stopped_unit_comes_back(user, deployed, command):
    user.systemctl(*command)
    user.wait_for(lambda: active(user, "web.service"))


def test_a_removed_container_comes_back(user, deployed):
    pid = main_pid(user, "web.service")
    user.podman("rm", "-f", "systemd-web")
    user.wait_for(lambda: runs_anew(user, "web.service", pid))


def test_a_network_that_vanished_comes_back(user, deployed):
    user.podman("network", "rm", "-f", "systemd-site")
    user.wait_for(
        lambda: (
            "systemd-site" in user.podman("network", "ls").stdout
            and active(user, "web.service", "side.service", "site-network.service")
        )
    )


def test_an_edited_or_deleted_file_is_restored(user, deployed):
    conf = user.home / ".config/containers/systemd/podvisor/blog/conf/index.html"
    side = main_pid(user, "side.service")
    conf.write_text("defaced\n")
    user.wait_for(lambda: conf.read_text() == "hello from the first revision\n")
    user.wait_for(lambda: page(user, 8090) == "hello from the first revision\n")
    quadlet = user.home / ".config/containers/systemd/podvisor/blog/side.container"
    quadlet.unlink()
    user.wait_for(quadlet.exists)
    assert main_pid(user, "side.service") == side, "nobody loaded the change: no restart"


def test_an_app_that_left_is_cleaned_up_but_its_volume_stays(user, deployed):
    deployed.commit(dict.fromkeys(BLOG), "Remove the blog")
    user.podvisor("sync")
    assert not (user.home / ".config/containers/systemd/podvisor/blog").exists()
    assert "systemd-web" not in user.podman("ps", "-a").stdout
    assert "systemd-site" not in user.podman("network", "ls").stdout
    assert "systemd-data" in user.podman("volume", "ls").stdout
    assert active(user, "hello.service", "backup.timer")
    assert events(user, kind="removed", app="blog")
    assert user.unit_state("web.service")["LoadState"] == "not-found"


def test_a_plain_service_and_its_links_go_too(user, deployed):
    deployed.commit({**dict.fromkeys(HELLO), **dict.fromkeys(BACKUP)})
    user.podvisor("sync")
    units = user.home / ".config/systemd/user"
    assert not active(user, "hello.service")
    assert not active(user, "backup.timer")
    left = [path for path in units.rglob("*") if path.name.startswith(("hello", "backup"))]
    assert left == []


def test_volumes_go_where_the_app_says_so(user, deployed):
    deployed.commit(
        {"apps/blog/data.volume": "[Volume]\n\n[X-Podvisor]\nPrune=volumes\n"}, "Allow it"
    )
    user.podvisor("sync")
    deployed.commit(dict.fromkeys(BLOG))
    user.podvisor("sync")
    assert "systemd-data" not in user.podman("volume", "ls").stdout
    (gone,) = events(user, step="remove-volume")
    assert gone["subject"] == "systemd-data"


def test_an_emptied_repository_prunes_nothing_until_told(user, deployed):
    deployed.commit({**dict.fromkeys(BLOG), **dict.fromkeys(BACKUP), **dict.fromkeys(HELLO)})
    user.podvisor("sync", check=False)
    assert active(user, "web.service", "hello.service")
    assert {one["state"] for one in status(user)["apps"]} == {"kept"}
    user.podvisor("sync", "--prune-all")
    assert not active(user, "web.service")
    assert status(user).get("apps", []) == []


def test_stopping_podvisor_stops_nothing_else(user, deployed):
    pid = main_pid(user, "web.service")
    stop_podvisor(user)
    assert active(user, "web.service", "side.service", "hello.service")
    assert main_pid(user, "web.service") == pid
    assert user.podvisor("status", check=False).returncode == 4
    user.systemctl("start", "podvisor.service")
    assert main_pid(user, "web.service") == pid, "starting it again restarts nothing"
    assert not events(user, step="restart")


def test_a_folder_source_is_followed_without_polling(user):
    for path, text in HELLO.items():
        user.write(f"services/{path}", text)
    configure(user, f'folder = "{user.home.name and "/home/" + user.name}/services"')
    user.start_daemon()
    user.wait_for(lambda: active(user, "hello.service"))
    pid = main_pid(user, "hello.service")
    changed = HELLO["apps/hello/hello.service"].replace("infinity", "100000")
    user.write("services/apps/hello/hello.service", changed)
    user.wait_for(lambda: runs_anew(user, "hello.service", pid))


def test_settings_are_reread_on_sighup_and_refused_ones_change_nothing(user, deployed):
    url = deployed.url
    configure(user, f'git = "{url}"\npol = "5m"')
    user.reload_daemon(check=False)
    problems = status(user)["problems"]
    assert "pol" in problems[0]["message"]
    assert problems[0]["line"] == 3
    assert active(user, "web.service")
    configure(user, f'git = "{url}"\nexclude = ["hello"]')
    user.reload_daemon()
    user.wait_for(lambda: not active(user, "hello.service"))
    assert not status(user).get("problems")
