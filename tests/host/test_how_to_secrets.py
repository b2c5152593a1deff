"""The how-to on secrets, typed in as it stands: what it says happens."""

import json
import re
from pathlib import Path

from tests.host.scenes import configure, status

PAGE = Path(__file__).parents[2] / "docs/how-to/keep-secrets-in-the-repository.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(sh|ini|)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IMAGE = "docker.io/library/busybox:1.37"
ASKED = "podvisor secret encrypt --app apps/web web-password"
TYPED = "typed by a person"
TYPE = """
import os, pty, sys
pid, terminal = pty.fork()
if not pid:
    os.execvp(sys.argv[1], sys.argv[1:])
said, answers = b"", [b"web-password: ", b"Again: "]
while True:
    try:
        said += os.read(terminal, 1024)
    except OSError:
        break
    if answers and said.endswith(answers[0]):
        del answers[0]
        os.write(terminal, b"typed by a person\\n")
sys.stdout.write(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
"""A terminal, and a person at it who answers when asked."""


def test_it_is_as_the_page_says(user):
    user.podman("tag", "localhost/podvisor-test:1", IMAGE)
    home = f"/home/{user.name}"
    shell = (
        f"cd {home}/checkout; export EDITOR={home}/editor GIT_AUTHOR_NAME=me GIT_COMMITTER_NAME=me"
    )
    shell += " EMAIL=me@localhost\n"
    user.write("editor", '#!/bin/sh\necho edited >"$1"\n', mode=0o755)
    user.run("git", "init", "--quiet", "--bare", "--initial-branch=main", f"{home}/home.git")
    user.run("git", "clone", "--quiet", f"file://{home}/home.git", f"{home}/checkout")
    user.run("mkdir", "-p", f"{home}/checkout/apps/web")
    configure(user, f'git = "file://{home}/home.git"', 'poll = "0s"')

    def inside(*command):
        return user.podman("exec", "systemd-web", "/bin/busybox", *command, check=False).stdout

    def password():
        return inside("cat", "/run/secrets/web-password")

    done = []
    for title, text in SECTION.findall(PAGE.read_text()):
        for language, block in BLOCK.findall(text):
            if language == "ini":
                first = block.splitlines()[0]
                if first.startswith("# apps/"):
                    user.write(f"checkout/{first.removeprefix('# ')}", block)
                continue
            if language != "sh" or "…" in block:
                continue  # what another machine does, and what stands in a file
            if block.strip() == ASKED:
                said = user.run("bash", "-ec", f"{shell}python3 -c '{TYPE}' {ASKED}").stdout
                assert TYPED not in said, "unseen"
                continue
            if title == "Let the host make one up":
                user.run("bash", "-ec", f"{shell}git add . && git commit -qm more && git push -q")
                user.podvisor("sync")
                before = json.loads(user.podman("secret", "inspect", "cookie-key").stdout)[0]["ID"]
            user.run("bash", "-ec", shell + block)
            done.append(title)
            match title:
                case "Make the host's key":
                    assert (user.home / ".config/podvisor/age.key").stat().st_mode & 0o77 == 0
                    user.start_daemon()
                case "Use it":
                    assert password() == TYPED
                    assert len(inside("sh", "-c", "echo -n $TOKEN")) == 32
                    assert [one["state"] for one in status(user)["apps"]] == ["ready"]
                case "Change it":
                    user.podvisor("sync")
                    user.wait_for(lambda: password() == "edited")
                case "Let the host make one up":
                    after = json.loads(user.podman("secret", "inspect", "cookie-key").stdout)[0]
                    assert after["ID"] != before
                case "Make one by hand":
                    shown = user.podman("secret", "inspect", "--showsecret", "api-key").stdout
                    assert json.loads(shown)[0]["SecretData"] == "the value"
                case _:
                    pass
    assert done == [
        "Make the host's key",
        "Encrypt a secret",
        "Use it",
        "Change it",
        "Let the host make one up",
        "Make one by hand",
    ]
