"""The command line on one user's machine: why, what changes, and what a shell offers."""

import json

import msgspec

from contrib.lib import json_schema
from tests.host.scenes import IMAGE, WANTED, deploy_folder, ready, wait_for_states

OFFER = """
eval "$(podvisor completion bash)"
COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; last="${@: -1}"
[[ $last == *@* ]] && last="@${last##*@}"  # as bash itself parts words
_podvisor_completion podvisor "$last"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def web(*lines):
    text = "\n".join((f"Image={IMAGE}:1", "Network=none", "Exec=sleep infinity", *lines))
    return f"[Container]\n{text}\n{WANTED}"


def offered(user, *words):
    return user.run("bash", "-c", OFFER, "bash", "podvisor", *words).stdout.split()


def why(user, name):
    return user.podvisor("why", name).stdout.splitlines()


def test_what_is_asked_at_the_command_line(user):
    deploy_folder(user, {"web/web.container": web()})
    ready(user, "web")
    assert "because source home came to " in user.podvisor("why", "web").stdout
    assert "web is well" in user.podvisor("why", "web").stdout
    assert f"{IMAGE}:1" in user.podvisor("status", "web").stdout
    assert offered(user, "status", "w") == ["web"]
    assert offered(user, "logs", "web.") == ["web.service"]

    # What changes is followed, and comes to its end with Ctrl-C.
    follow = """
        env --default-signal=INT podvisor status -w --json >followed & followed=$!
        until [ -s followed ]; do sleep 0.1; done
        podvisor suspend web >suspended
        until grep -q '"suspended"' followed; do sleep 0.1; done
        podvisor resume web >resumed
        until tail -n 1 followed | grep -q '"ready"'; do sleep 0.1; done
        kill -INT $followed
        wait $followed
    """
    assert user.run("bash", "-c", f"set -m; {follow}", check=False).returncode == 130

    user.systemctl("kill", "--signal=KILL", "web.service")
    told = user.wait_for(
        lambda: [line for line in why(user, "web") if line.startswith("web.service was started")]
    )
    assert "should run" in told[0]

    user.write("apps/web/web.container", web("Imgae=typo"))
    user.podvisor("sync", check=False)
    (line,) = [
        line
        for line in user.podvisor("status", check=False).stdout.splitlines()
        if line.startswith("✗ web: ")
    ]
    assert "web.container" in line
    assert "Imgae" in line
    assert "is refused" in user.podvisor("why", "web").stdout

    # Without a daemon the ledger tells.
    user.systemctl("stop", "podvisor.service")
    told = user.podvisor("why", "web").stdout
    assert "how web is now nobody can say" in told
    assert "is refused" in told


QUESTIONS = (
    ("status",),
    ("why", "web"),
    ("plan", "web"),
    ("diff", "web"),
    ("check", "apps"),
    ("history", "web"),
    ("images",),
    ("secret", "list"),
    ("certs",),
    ("trust",),
    ("metrics",),
    ("notify",),
    ("doctor",),
    ("events",),
    ("logs", "web", "-n", "5"),
    ("suspend", "web"),
    ("resume", "web"),
    ("sync",),
    ("reload",),
)


def test_json_is_what_its_schema_says(user):
    deploy_folder(user, {"web/web.container": web("Imgae=typo"), "fine/fine.container": web()})
    wait_for_states(user, fine="ready", web="refused")
    for words in QUESTIONS:
        name = next(one for one in (" ".join(words[:2]), words[0]) if one in json_schema.WRITES)
        kinds, how = json_schema.WRITES[name]
        written = user.podvisor(*words, "--json", check=False).stdout
        for text in written.splitlines() if "line" in how and name != "status" else [written]:
            said = json.loads(text)
            assert any(fits(said, kind) for kind in kinds), (words, text)


def fits(said, kind):
    """Whether it is of the type, with nothing more, and only what is as usual left out."""
    try:
        read = msgspec.convert(said, kind)
    except msgspec.ValidationError:
        return False
    return json.loads(msgspec.json.encode(read)) == said


def test_man_pages_and_what_completes_come_with_the_package(user):
    find = "import sys, pathlib; print(*pathlib.Path(sys.prefix, 'share').rglob('*podvisor*'))"
    program = user.run("sh", "-c", "head -n 1 $(command -v podvisor)").stdout
    found = user.run(program.removeprefix("#!").strip(), "-c", find).stdout
    assert "share/man/man1/podvisor.1" in found
    assert "share/man/man1/podvisor-secret-encrypt.1" in found
    assert "share/bash-completion/completions/podvisor" in found
    assert "share/fish/vendor_completions.d/podvisor.fish" in found
    assert "share/zsh/site-functions/_podvisor" in found
