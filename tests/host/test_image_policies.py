"""Which of the tags that are pushed run, and when, on a real host with a real registry."""

import base64
import json
import platform
from hashlib import sha256

from tests.host.image_scenes import images_of
from tests.host.registries import OwnRegistry
from tests.host.scenes import active, configure, main_pid, ready, runs_anew, sleeper

OWN = "\n[X-Podvisor]\n"


def start(own, files):
    """Deploy a folder, with a daemon that hears the registry."""
    for path, text in files.items():
        own.user.write(f"apps/{path}", text)
    configure(own.user, 'folder = "~/apps"', more=own.heard)
    own.user.start_daemon()


def image_of(user, app):
    """How the one image of an app stands; empty before that is known."""
    return next(iter(images_of(user, app)), {})


def running(user, app):
    """The tag of the release that runs; nothing while that is on trial."""
    image = image_of(user, app)
    return image["running"]["tag"] if "running" in image and not image.get("on_trial") else ""


def runs(user, app, tag):
    user.wait_for(lambda: running(user, app) == tag, what=f"{app} with {tag}")


def test_the_highest_in_the_range_runs_and_what_has_a_window_waits_for_it(user, own):
    own.push("podvisor-test:1", "web:1.0.0", "web:1.1.0-rc.1", "web:2.0.0", "web:latest")
    name = own.image("web:1.0.0")
    window = "Window=2199-01-01 02:00..03:00\n"
    files = {
        "web/web.container": sleeper(image=name) + f"{OWN}ImagePolicy=semver:^1\n",
        "late/late.container": sleeper(image=name) + f"{OWN}ImagePolicy=semver:^1\n{window}",
    }
    start(own, files)
    runs(user, "web", "1.0.0")
    runs(user, "late", "1.0.0")
    own.push("podvisor-test:2", "web:2.1.0", "web:1.1.0")
    runs(user, "web", "1.1.0")
    assert running(user, "late") == "1.0.0"
    held = image_of(user, "late")["held"]
    assert held["version"]["tag"] == "1.1.0"
    assert "its window is 2199-01-01 02:00..03:00" in held["why"]
    user.write("apps/web/web.container", files["web/web.container"].replace("^1", "^9"))
    known = user.wait_for(lambda: image_of(user, "web").get("known", {}).get("problem"))
    assert known.endswith("fits semver:^9")
    assert image_of(user, "web")["known"]["hint"] == "the nearest are 2.1.0, 2.0.0, 1.1.0"
    assert active(user, "web.service")


def test_containers_of_an_image_file_move_together_by_the_group_of_a_filter(user, own):
    own.push("podvisor-test:1", "web:1.0.0-alpine", "web:1.9.9", "web:1.0.1-alpine")
    policy = "ImagePolicy=semver:~1.0\nImageFilter=(?P<version>[\\d.]+)-alpine\n"
    container = sleeper(image="web.image")
    files = {
        "web/web.image": f"[Image]\nImage={own.image('web:1.0.0-alpine')}\n{OWN}{policy}",
        "web/one.container": container,
        "web/two.container": container,
    }
    start(own, files)
    runs(user, "web", "1.0.1-alpine")
    digest = own.push("podvisor-test:2", "web:1.0.2-alpine")
    runs(user, "web", "1.0.2-alpine")
    names = user.podman("ps", "--format", "{{.Image}}").stdout.split()
    assert names == [f"{own.image('web')}@{digest}"] * 2
    # As at a boot, without podvisor and the registry.
    own.stop()
    user.systemctl("stop", "podvisor.service", "one.service", "two.service", "web-image.service")
    user.systemctl("start", "one.service", "two.service")
    assert active(user, "one.service", "two.service", "web-image.service")
    user.systemctl("stop", "one.service", "two.service", "web-image.service")
    user.podman("rmi", "--all", "--force")
    assert user.systemctl("start", "one.service", check=False).returncode != 0


def push_index(own, *tags):
    """Push `web:latest`: an index of the images with these tags, for this platform and another."""
    mine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    parts = []
    for tag, architecture in zip(tags, (mine, "riscv64"), strict=True):
        manifest = own.user.run(
            "skopeo",
            "inspect",
            "--raw",
            "--tls-verify=false",
            f"docker://{own.image(f'web:{tag}')}",
        ).stdout
        parts.append(
            {
                "mediaType": json.loads(manifest)["mediaType"],
                "digest": f"sha256:{sha256(manifest.encode()).hexdigest()}",
                "size": len(manifest.encode()),
                "platform": {"os": "linux", "architecture": architecture},
            }
        )
    kind = "application/vnd.oci.image.index.v1+json"
    own.user.write(
        "index.json", json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": parts})
    )
    put = (
        "curl",
        "-sSf",
        "-X",
        "PUT",
        "-H",
        f"Content-Type: {kind}",
        "--data-binary",
        "@index.json",
    )
    own.user.run(*put, f"{own.url}/web/manifests/latest")


def test_an_index_that_changes_for_another_platform_restarts_nothing(user, own):
    for name in ("1", "2", "crash"):
        own.push(f"podvisor-test:{name}", f"web:{name}")
    push_index(own, "1", "2")
    unit = sleeper("AutoUpdate=registry", image=own.image("web:latest"))
    start(own, {"web/web.container": unit})
    runs(user, "web", "latest")
    before, version = main_pid(user, "web.service"), image_of(user, "web")["running"]["runs"]
    push_index(own, "1", "crash")
    assert user.podvisor("update", "web").returncode == 0
    assert image_of(user, "web")["known"]["newest"]["runs"] == version
    assert main_pid(user, "web.service") == before
    push_index(own, "2", "crash")
    user.wait_for(lambda: runs_anew(user, "web.service", before), what="this platform's news")


def test_an_image_of_this_host_is_taken_up_when_it_is_tagged(user, own):
    user.podman("tag", "localhost/podvisor-test:1", "localhost/mine:dev")
    start(own, {"web/web.container": sleeper("AutoUpdate=local", image="localhost/mine:dev")})
    ready(user, "web")
    before = image_of(user, "web")["running"]["runs"]
    user.podman("tag", "localhost/podvisor-test:2", "localhost/mine:dev")
    user.wait_for(lambda: image_of(user, "web")["running"]["runs"] != before, what="the new image")


def test_an_image_that_only_credentials_of_its_own_open(user, registry):
    own = OwnRegistry(user=user, shared=registry, port=user.port, private=True).tell()
    pair = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    for name, logins in (("good", {own.host: {"auth": pair}}), ("bad", {})):
        user.write(f"{name}.json", json.dumps({"auths": logins}), mode=0o600)
    own.push("podvisor-test:1", "web:latest")
    image, label = own.image("web:latest"), "Label=io.containers.autoupdate.authfile=%h"
    good = sleeper(f"AutoUpdate=registry\n{label}/good.json", image=image)
    bad = sleeper(f"{label}/bad.json", image=image)
    start(own, {"good/good.container": good, "bad/bad.container": bad})
    runs(user, "good", "latest")
    said = user.podvisor("status", "bad", check=False).stdout
    assert f"/bad.json has no login for {own.host}" in " ".join(said.split())
    digest = own.push("podvisor-test:2", "web:latest")
    user.wait_for(lambda: digest in json.dumps(image_of(user, "good").get("running")))
    # Another app's credentials open it for all that want it.
    user.write("apps/third/third.container", sleeper(f"{label}/good.json", image=image))
    ready(user, "good", "bad", "third")
    user.host.run("journalctl", "--sync")
    logged = user.run("journalctl", "--user", "--quiet").stdout
    assert "podvisor" in logged
    assert not any(one in logged + said for one in (pair, registry.password))
