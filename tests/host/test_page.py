"""The page, as systemd starts it, locks it in and ends it."""

import json

from tests.host.scenes import configure, deploy_folder, ready, service, status, wait_for_states

SOCKET, SERVICE = "podvisor-web.socket", "podvisor-web.service"
CRASHES = "[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=default.target\n"


def web(user, *, idle="2s"):
    return f'[web]\nlisten = "127.0.0.1:{user.port}"\nidle = "{idle}"\n'


def get(user, path="/", *more):
    """Status and body of an answer."""
    url = f"http://127.0.0.1:{user.port}{path}"
    done = user.run("curl", "-s", "-w", "\n%{http_code}", *more, url)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


def state(user, unit):
    return user.unit_state(unit)["ActiveState"]


def test_the_page_comes_and_goes_with_who_looks(user):
    deploy_folder(user, {"a/a.service": service(), "b/b.service": service()}, more=web(user))
    ready(user, "a", "b")
    assert (state(user, SOCKET), state(user, SERVICE)) == ("active", "inactive")

    code, page = get(user)
    assert code == 200
    assert "All is well" in page
    assert get(user, "/apps/a")[0] == 200
    assert 'podvisor_app_state{app="a",state="ready"} 1.0' in get(user, "/metrics")[1]
    assert get(user, "/v1/sync", "-X", "POST", "-d", "{}")[0] == 405
    assert get(user, "/", "-H", "Host: evil.example")[0] == 421

    user.write("apps/b/b.service", CRASHES)
    wait_for_states(user, a="ready", b="reverted")
    assert "1 thing is wrong" in get(user)[1]
    failed, good = json.loads(user.podvisor("history", "b", "--json").stdout)["rollouts"]
    code, page = get(user, f"/apps/b/diff?old={good['release']}&new={failed['release']}")
    assert code == 200
    assert "+ExecStart=/bin/false" in page
    code, page = get(user, "/machine")
    assert code == 200
    assert "a.service" in page
    assert " free in " in page

    # Nobody looks: it is gone, and well.
    user.wait_for(lambda: state(user, SERVICE) == "inactive", what="the end of the page")
    assert user.unit_state(SERVICE)["Result"] == "success"

    user.systemctl("stop", "podvisor.service")
    code, page = get(user)
    assert code == 503
    assert "The daemon is not running, since" in page
    assert 'class="state reverted"' in page

    configure(user, 'folder = "~/apps"')
    user.podvisor("setup")
    assert user.unit_state(SOCKET)["LoadState"] == "not-found"
    user.wait_for(lambda: status(user)["running"], what="the daemon")


def test_the_page_sees_nothing_but_what_it_may_ask(user):
    deploy_folder(user, {"a/a.service": service()}, more=web(user, idle="0s"))
    ready(user, "a")
    assert get(user)[0] == 200
    process = user.unit_state(SERVICE)["MainPID"]
    look = f"ls -A /proc/{process}/root/home /proc/{process}/root{user.runtime}/podvisor"
    seen = user.host.run("sh", "-c", look).stdout.split()
    assert [word for word in seen if not word.startswith("/proc/")] == ["questions"]
    links = user.host.run("cat", f"/proc/{process}/net/dev")
    assert [line.split(":")[0].strip() for line in links.stdout.splitlines() if ":" in line] == [
        "lo"
    ]
