"""The command line on one user's machine: why, what changes, and what a shell offers."""

from tests.host.scenes import IMAGE, WANTED, deploy_folder, ready

OFFER = """
eval "$(podvisor completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_podvisor_completion podvisor
printf '%s\\n' "${COMPREPLY[@]}"
"""


def web(*lines):
    text = "\n".join((f"Image={IMAGE}:1", "Network=none", "Exec=sleep infinity", *lines))
    return f"[Container]\n{text}\n{WANTED}"


def offered(user, *words):
    return user.run("bash", "-c", OFFER, "bash", "podvisor", *words).stdout.split()


def test_what_is_asked_at_the_command_line(user):
    deploy_folder(user, {"web/web.container": web()})
    ready(user, "web")
    assert "because source home came to " in user.podvisor("why", "web").stdout
    assert "web is well" in user.podvisor("why", "web").stdout
    assert f"{IMAGE}:1" in user.podvisor("status", "web").stdout
    assert offered(user, "status", "w") == ["web"]
    assert offered(user, "logs", "web.") == ["web.service"]

    # What changes is followed, with whatever is typed to change it.
    follow = """
        podvisor status -w --json >followed & followed=$!
        until [ -s followed ]; do sleep 0.1; done
        systemctl --user kill --signal=KILL web.service
        until podvisor why web.service | grep -q 'was started'; do sleep 0.1; done
        until [ $(wc -l <followed) -ge 3 ]; do sleep 0.1; done
        kill -INT $followed
        wait $followed
    """
    user.run("bash", "-c", f"set -m; {follow}", check=False)
    followed = user.run("cat", "followed").stdout.splitlines()
    assert '"changing"' in "".join(followed) or '"failing"' in "".join(followed)
    user.wait_for(lambda: "web is well" in user.podvisor("why", "web").stdout)

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


def test_the_man_page_and_what_completes_come_with_the_package(user):
    find = "import sys, pathlib; print(*pathlib.Path(sys.prefix, 'share').rglob('*podvisor*'))"
    program = user.run("sh", "-c", "head -n 1 $(command -v podvisor)").stdout
    found = user.run(program.removeprefix("#!").strip(), "-c", find).stdout
    assert "share/man/man1/podvisor.1" in found
    assert "share/bash-completion/completions/podvisor" in found
    assert "share/fish/vendor_completions.d/podvisor.fish" in found
    assert "share/zsh/site-functions/_podvisor" in found
