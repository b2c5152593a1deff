"""How a source is laid out, and laid out anew, on a real host."""

import json

from tests.host.scenes import active, configure, deploy, main_pid, ready, sleeper, states, sync

NETWORK = "Network=front.network"


def container(*more):
    return sleeper(*more).replace("Network=none\n", "")


def test_a_flat_folder_becomes_an_app_for_each_unit(user, git_server):
    files = {
        "quadlets/web.container": container(NETWORK, "EnvironmentFile=web.env"),
        "quadlets/web.env": "A=1\n",
        "quadlets/db.container": container(NETWORK),
        "quadlets/front.network": "[Network]\n",
        "timers/tidy.timer": "[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n",
        "timers/tidy.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
        "archive/web.container": sleeper("Bogus=1"),
        "image/Containerfile": "FROM scratch\n",
        "image/etc/systemd/system/inside.service": "[Service]\nExecStart=/bin/false\n",
    }
    repository = deploy(user, git_server, files, 'ignore = ["archive"]')
    ready(user, "quadlets", "timers")
    web, db = main_pid(user, "web.service"), main_pid(user, "db.service")
    user.run("git", "clone", "--quiet", repository.url, "clone")
    checked = json.loads(user.podvisor("check", "clone", "--apps", "units", "--json").stdout)
    assert checked["sources"] == ["home"]
    found = {app["name"]: {unit["name"] for unit in app["units"]} for app in checked["apps"]}
    assert found == {
        "web": {"web.service"},
        "db": {"db.service"},
        "front": {"front-network.service"},
        "tidy": {"tidy.timer", "tidy.service"},
    }
    assert {one["path"] for one in checked["left_out"]} == {
        "archive/web.container",
        "image/etc/systemd/system/inside.service",
    }
    configure(user, f'git = "{repository.url}"', 'ignore = ["archive"]', 'apps = "units"')
    user.reload_daemon()
    ready(user, *found)
    assert set(states(user)) == set(found)
    assert main_pid(user, "db.service") == db
    assert main_pid(user, "web.service") != web, "its file stands in another folder now"
    web = main_pid(user, "web.service")
    # One typing error reaches nobody else.
    repository.commit(
        {
            "quadlets/db.container": container(NETWORK, "Bogus=1"),
            "quadlets/web.container": container(NETWORK, "HostName=web"),
        }
    )
    assert sync(user).returncode == 3
    assert states(user)["db"] == "refused"
    assert states(user)["web"] == "ready"
    assert active(user, "db.service", "web.service")
    assert main_pid(user, "web.service") != web
