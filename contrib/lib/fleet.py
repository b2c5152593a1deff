"""Makes what `contrib/bench idle` measures, inside a host as a fresh lingering user.

Arguments: how many containers, whether they are `checked` (every 30 s) or `plain`, how many of them
log ten lines a second, and how many images are followed beside; `everything` for one who has all
enabled that can be. podvisor deploys them from a Git
repository over HTTP; for the other supervisors there are as many programs, which leave the group of
whoever starts them, so that a supervisor is measured without its programs, as podvisor is without
its containers.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

HOME = Path.home()
CONTAINER = """\
[Container]
Image=localhost/podvisor-test:1
Exec={program}
Network=none
{more}
[Install]
WantedBy=default.target
"""
SILENT = "sleep infinity"
CHATTY = '/bin/sh -c "while :; do echo a line as programs write them; sleep 0.1; done"'
CHECK = 'HealthCmd=["/bin/true"]\nHealthInterval=30s\n'
SUPERVISORD = """\
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={home}/supervisord.pid
"""
CIRCUS = """\
[circus]
statsd=false
endpoint=ipc://{home}/circus.endpoint
pubsub_endpoint=ipc://{home}/circus.pubsub
"""
FOLLOWED = """\
[Container]
Image={image}
AutoUpdate=registry
"""
WEBHOOKS = """
[webhooks]
listen = "127.0.0.1:{port}"
[webhooks.registries.own]
sender = "distribution"
secret = "file:~/secret"
"""
ALL_ELSE = """
[web]
listen = "127.0.0.1:{port}"
actions = true
token = "file:~/secret"
[notify.phone]
url = "file:~/notifier"
[certificates]
email = "me@example.org"
"""
BY_POLICY = """\
[Container]
Image={image}
[X-Podvisor]
ImagePolicy=semver:^1
"""
CERTIFICATE = """\
[Certificate]
Issuer=internal
Domain=web.home.arpa
"""
CERTIFIED = "Volume=%h/.local/share/podvisor/certificates/web:/certificate:ro\n"
PATIENCE_SECONDS = 600


def main() -> None:
    number, checked, chatty = int(sys.argv[1]), sys.argv[2] == "checked", int(sys.argv[3])
    images, everything = int(sys.argv[4]), sys.argv[5:] == ["everything"]
    programs(number)
    files = {
        f"fleet/web{n:02}.container": CONTAINER.format(
            program=CHATTY if n < chatty else SILENT,
            more=(CHECK if checked else "") + (CERTIFIED if everything and not n else ""),
        )
        for n in range(number)
    }
    files |= followed(images)
    if everything:
        files["fleet/web.certificate"] = CERTIFICATE
        files["followed/policy.container"] = BY_POLICY.format(image=pushed("policy", "1.0.0"))
    text = f'[sources.home]\ngit = "{repository(files)}"\n'
    if images:
        private("secret", "of the bench, and long")
        webhook = 'webhook = "forgejo"\nwebhook_secret = "file:~/secret"\n'
        text += (webhook if everything else "") + WEBHOOKS.format(port=port(20_000))
    if everything:
        private("notifier", f"json://127.0.0.1:{port(40_000)}/")
        text += ALL_ELSE.format(port=port(30_000))
    settings = HOME / ".config/podvisor/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(text)
    run("podvisor", "setup")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while up() < number:
        if time.monotonic() > deadline:
            sys.exit(f"only {up()} of {number} containers run")
        time.sleep(1)
    run("podvisor", "sync")


def port(first: int) -> int:
    """One of ten thousand from there on that no other user here has."""
    return first + os.getuid() % 10_000


def private(name: str, text: str) -> None:
    file = HOME / name
    file.touch(mode=0o600)
    file.write_text(text)


def pushed(name: str, tag: str = "latest") -> str:
    """An image of the user's own in the host's registry."""
    image = f"localhost:5000/{os.environ['USER']}/{name}:{tag}"
    copy = ("skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false")
    run(*copy, "docker://localhost:5000/podvisor-test:1", f"docker://{image}")
    return image


def followed(images: int) -> dict[str, str]:
    """Units that follow an image each, of the host's registry; nothing starts them."""
    return {
        f"followed/image{n:02}.container": FOLLOWED.format(image=pushed(f"image{n:02}"))
        for n in range(images)
    }


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd)
    return done.stdout


def up() -> int:
    states = run("systemctl", "--user", "list-units", "--plain", "--no-legend", "web*.service")
    return sum(" active " in line for line in states.splitlines())


def repository(files: dict[str, str]) -> str:
    """A repository on the host's Git server with these files; gives its address."""
    bare = f"/srv/git/{os.environ['USER']}.git"
    clone = HOME / "clone"
    run("git", "init", "-q", "--bare", "--shared=0666", "-b", "main", bare)
    run("git", "init", "-q", "-b", "main", clone)
    for name, text in {"README": "The fleet.\n", **files}.items():
        (clone / name).parent.mkdir(exist_ok=True)
        (clone / name).write_text(text)
    run("git", "add", "-A", cwd=clone)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    run("git", *identity, "commit", "-q", "-m", "The fleet", cwd=clone)
    run("git", "push", "-q", bare, "main", cwd=clone)
    return f"http://localhost:8080/git/{Path(bare).name}"


def programs(number: int) -> None:
    """Settings of s6, supervisord and circus for so many programs."""
    manager = Path(f"/sys/fs/cgroup/user.slice/user-{os.getuid()}.slice/user@{os.getuid()}.service")
    (manager / "programs").mkdir()
    program = HOME / "program"
    program.write_text(
        f"#!/bin/sh\necho $$ >{manager}/programs/cgroup.procs\nexec sleep infinity\n"
    )
    program.chmod(0o755)
    supervisord = [SUPERVISORD.format(home=HOME)]
    circus = [CIRCUS.format(home=HOME)]
    for n in range(number):
        supervisord.append(
            f"[program:program{n}]\ncommand={program}\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
        )
        circus.append(f"[watcher:program{n}]\ncmd={program}\n")
        service = HOME / f"s6/program{n}"
        service.mkdir(parents=True)
        (service / "run").symlink_to(program)
    (HOME / "s6").mkdir(exist_ok=True)
    (HOME / "supervisord.conf").write_text("\n".join(supervisord))
    (HOME / "circus.ini").write_text("\n".join(circus))


if __name__ == "__main__":
    main()
