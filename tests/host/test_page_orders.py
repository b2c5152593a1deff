"""Orders on the page, as systemd starts it: with its token, through its sandbox, by name."""

import json
import re

from tests.host.scenes import configure, deploy_folder, ready, service, wait_for_states

TOKEN = "correct horse battery staple"
JAR = ".cookies"


def web(user, *lines):
    more = "".join(f"{line}\n" for line in lines)
    return f'[web]\nlisten = "127.0.0.1:{user.port}"\nidle = "0s"\n{more}'


def get(user, path, *more):
    """Status and body of an answer, to who keeps cookies."""
    url = f"http://127.0.0.1:{user.port}{path}"
    done = user.run("curl", "-sL", "-w", "\n%{http_code}", "-b", JAR, "-c", JAR, *more, url)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


def form(user, path, **fields):
    """Send a form, as a page of ours does."""
    words = ["-H", f"Origin: http://127.0.0.1:{user.port}"]
    for name, value in fields.items():
        words += ["--data-urlencode", f"{name}={value}"]
    return get(user, path, *words)


def test_orders_are_taken_of_who_has_the_token_and_told_by_name(user):
    user.write(".config/podvisor/page-token", f"{TOKEN}\n")
    user.run("chmod", "600", ".config/podvisor/page-token")
    actions = 'actions = true\ntoken = "file:~/.config/podvisor/page-token"'
    deploy_folder(user, {"a/a.service": service()}, more=web(user, actions))
    ready(user, "a")

    assert get(user, "/")[0] == 200  # whoever is here may look
    assert "Sync all" not in get(user, "/")[1]
    assert get(user, "/v1/suspend", "--json", "{}")[0] == 401
    assert form(user, "/login", token="guessed")[0] == 401
    code, page = form(user, "/login", token=TOKEN, name="anna", next="/apps/a")
    assert code == 200
    proof = re.findall(r'name="proof" value="(\w+)"', page)[0]
    fields = {"app": "a", "proof": proof, "reason": "holidays", "confirmed": "yes"}
    code, page = form(user, "/orders/suspend", **fields)
    assert code == 200, page
    wait_for_states(user, a="suspended")

    # A session outlives the page's process, and its cookie is worth nothing once it is logged out.
    user.systemctl("stop", "podvisor-web.service")
    assert "log out" in get(user, "/")[1]
    user.run("cp", JAR, "copied")
    code, page = form(user, "/logout", proof=proof)
    assert (code, "log out" in page) == (200, False)
    assert "log out" not in get(user, "/", "-b", "copied")[1]
    user.systemctl("stop", "podvisor-web.service")
    assert "log out" not in get(user, "/", "-b", "copied")[1]

    bearer = ("-H", f"Authorization: Bearer {TOKEN}")
    code, said = get(user, "/v1/resume", *bearer, "--json", '{"apps": ["a"]}')
    assert code == 200
    assert json.loads(said.splitlines()[-1])["reply"]["apps"][0]["state"] == "ready"
    user.podvisor("suspend", "a")
    told = [json.loads(line) for line in user.podvisor("events", "a", "--json").stdout.splitlines()]
    names = [(one["kind"], one["by"]) for one in told if one["kind"] in {"suspended", "resumed"}]
    assert names == [
        ("suspended", "anna (page)"),
        ("resumed", "token (API)"),
        ("suspended", user.name),
    ]

    # The daemon has the last word, before the page's units are written anew.
    configure(user, 'folder = "~/apps"', more=web(user))
    user.podvisor("reload")
    code, said = get(user, "/v1/resume", *bearer, "--json", '{"apps": ["a"]}')
    assert (code, json.loads(said)["detail"]) == (403, "the page takes no orders")
    user.podvisor("setup")
    assert get(user, "/v1/resume", *bearer, "--json", '{"apps": ["a"]}')[0] == 405
    assert get(user, "/orders/sync")[0] == 404
