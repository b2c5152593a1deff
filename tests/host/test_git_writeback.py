"""From a push to a registry to a commit in Git, on a real host: and nothing starts again.

One source has its branch committed to, another one a branch of podvisor's own, with a pull request
at a Git host that answers as a Forgejo documents it: none can be had for the host.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.fakes import git_host_server
from tests.host.conftest import GIT_ENVIRONMENT
from tests.host.scenes import configure, events, ready, sleeper, source, states, status
from tests.host.test_image_policies import image_of, runs
from tests.host.test_sources import serving

TOKEN = "t0ken-of-this-test"
OURS = "podvisor-updates"


def bare(repository, *args):
    argv = ["git", "-C", str(repository.bare), *args]
    done = subprocess.run(argv, env=GIT_ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repositories(user, own, git_server):
    """Two that follow an image each, of which the first takes no push yet."""
    made = []
    for app, takes in (("web", "false"), ("api", "true")):
        own.push("podvisor-test:1", f"{app}:1.0.0")
        repository = git_server.create(f"{user.name}-{app}")
        text = sleeper(image=own.image(f"{app}:1.0.0"))
        policy = "\n[X-Podvisor]\nImagePolicy=semver:^1\n"
        repository.commit({f"apps/{app}/{app}.container": f"# kept\n{text}{policy}"})
        bare(repository, "config", "http.receivepack", takes)
        made.append(repository)
    return made


@pytest.fixture
def git_host(user, own, repositories):
    """Serves the second repository's pull requests."""
    user.write("git_host.py", Path(git_host_server.__file__).read_text())
    name = f"git/{repositories[1].bare.stem}"
    script = f"/home/{user.name}/git_host.py"
    with serving(user, "git-host", "python3", script, "forgejo", str(own.port + 2), name, TOKEN):
        yield f"http://localhost:{own.port + 2}/api/v1/repos/{name}/pulls"


def start(own, repositories):
    """Have the daemon deploy both, and wait until their first versions are good."""
    user = own.user
    web, api = repositories
    key = f"/home/{user.name}/signing-key"
    user.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    user.write("status-token", TOKEN, mode=0o600)
    configure(
        user,
        f'git = "{web.url}"',
        "writeback = true",
        'writeback_key = "~/signing-key"',
        more=f"""
[sources.reviewed]
git = "{api.url}"
writeback = true
writeback_branch = "{OURS}"
status = "forgejo"
status_url = "http://localhost:{own.port + 2}/api/v1"
status_token = "file:~/status-token"
{own.heard}""",
    )
    user.start_daemon()
    user.wait_for(lambda: len(status(user).get("apps", ())) == 2, what="apps")
    ready(user, "web", "api")
    runs(user, "web", "1.0.0")
    runs(user, "api", "1.0.0")


def unit(repository, app, branch="main"):
    return bare(repository, "show", f"{branch}:apps/{app}/{app}.container")


def container(user, app):
    return user.podman("inspect", "--format={{.Id}}", f"systemd-{app}").stdout.strip()


def asked(user, url, method="GET"):
    header = f"Authorization: token {TOKEN}"
    said = user.run("curl", "-sS", "-X", method, "-H", header, url)
    return json.loads(said.stdout)


def test_pushed_images_end_in_git_and_nothing_starts_again(user, own, repositories, git_host):
    web, api = repositories
    start(own, repositories)
    before, text = bare(web, "rev-parse", "main"), unit(web, "web")
    for app in ("web", "api"):
        own.push("podvisor-test:2", f"{app}:1.1.0")
    runs(user, "web", "1.1.0")
    runs(user, "api", "1.1.0")
    identities = container(user, "web"), container(user, "api")

    # A push that is refused, a pull request that is opened.
    user.wait_for(lambda: "push to" in str(status(user)), what="that the server takes no push")
    assert bare(web, "rev-parse", "main") == before
    user.wait_for(lambda: source(user, "reviewed").get("proposal"), what="a pull request")
    url = f"{git_host.replace('/api/v1/repos', '')}/1"
    line = f"reviewed: pull request #1 waits to be merged: {url}"
    assert line in user.podvisor("status", check=False).stdout
    one = asked(user, f"{git_host}/1")
    assert (one["head"]["ref"], one["base"]["ref"]) == (OURS, "main")
    assert "api: 1.0.0 -> 1.1.0" in one["body"]
    assert unit(api, "api", OURS) == unit(api, "api").replace(":1.0.0", ":1.1.0")
    assert bare(api, "rev-parse", f"{OURS}~1") == bare(api, "rev-parse", "main")

    # Both are in Git: by a commit of podvisor's, by a merge of a person's.
    bare(web, "config", "http.receivepack", "true")
    bare(api, "update-ref", "refs/heads/main", OURS)
    asked(user, f"{url}/merge", "POST")
    user.podvisor("reload")
    user.wait_for(lambda: bare(web, "rev-parse", "main") != before, what="a commit")
    assert bare(web, "rev-parse", "main~1") == before
    assert unit(web, "web") == text.replace(":1.0.0", ":1.1.0")
    head = bare(web, "cat-file", "commit", "main")
    assert "BEGIN SSH SIGNATURE" in head
    assert "1.0.0 -> 1.1.0" in head
    user.podvisor("sync")
    tips = [bare(one, "rev-parse", "main") for one in (web, api)]
    assert [one["revision"] for one in status(user)["sources"]] == tips
    user.wait_for(lambda: "proposal" not in source(user, "reviewed"), what="a merge")
    said = [event["reason"] for event in events(user, kind="pull-request")]
    assert said[0].startswith("pull request #1 was opened: ")
    assert said[1] == "pull request #1 was merged"
    ready(user, "web", "api")
    assert (container(user, "web"), container(user, "api")) == identities
    assert bare(web, "rev-parse", "main~1") == before

    own.shared.push_variant("podvisor-test:1", "versions:never-ran", Labels={"never": "ran"})
    own.push("versions:never-ran", "web:1.0.5")

    # A person takes it back, and lets it go again.
    web.pull()
    web.commit({"apps/web/web.container": f"{text}\n"})
    user.podvisor("sync")
    runs(user, "web", "1.0.0")
    assert image_of(user, "web")["pinned"]["tag"] == "1.0.0"
    assert "a person took 1.1.0 back in Git" in user.podvisor("images", check=False).stdout
    user.podvisor("unpin", "web")
    runs(user, "web", "1.1.0")
    user.wait_for(lambda: ":1.1.0" in unit(web, "web"), what="a second commit")

    # Taken back to what never ran here: a sync ends when that was pulled, and runs.
    web.pull()
    web.commit({"apps/web/web.container": text.replace(":1.0.0", ":1.0.5")})
    user.podvisor("sync")
    image = image_of(user, "web")
    assert (image["running"]["tag"], image["pinned"]["tag"]) == ("1.0.5", "1.0.5")
    assert states(user)["web"] == "ready"
