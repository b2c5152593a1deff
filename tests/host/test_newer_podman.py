"""What newer Podmans can do: artifacts, and a `podman quadlet rm` that takes the whole folder."""

from tests.host.scenes import (
    OWNED,
    active,
    app_of,
    deploy_folder,
    events,
    finding,
    main_pid,
    ready,
    service,
    sleeper,
    states,
)


def test_the_owned_folder_removed_whole_is_made_again(user, wait_for):
    """To Podman 6 it is one application: `podman quadlet rm --recursive podvisor` removes it."""
    deploy_folder(user, {"web/web.container": sleeper(), "db/db.service": service()})
    ready(user, "web", "db")
    before = main_pid(user, "web"), main_pid(user, "db")
    user.run("rm", "-r", OWNED)
    user.systemctl("daemon-reload")
    wait_for(
        lambda: user.run("ls", OWNED, check=False).stdout.split() == ["db", "web"], what="back"
    )
    ready(user, "web", "db")
    user.run("rm", "-r", OWNED)
    user.systemctl("stop", "podvisor")
    user.systemctl("stop", "web", "db")
    user.systemctl("daemon-reload")
    user.systemctl("start", "podvisor")
    ready(user, "web", "db")
    assert active(user, "web", "db")
    assert main_pid(user, "web") != before[0]
    assert [one for one in events(user) if one.get("step", "").startswith("remove")] == []


def test_an_artifact_where_podman_knows_it(user, wait_for):
    model = "[Artifact]\nArtifact=localhost:5000/model:1\n"
    mount = "Mount=type=artifact,source=model.artifact,destination=/model"
    known = tuple(
        map(int, user.podman("version", "--format={{.Client.Version}}").stdout.split(".")[:2])
    )
    if known < (5, 7):
        deploy_folder(user, {"web/web.container": sleeper(), "web/model.artifact": model})
        wait_for(lambda: states(user).get("web") == "refused", what="refused")
        found = finding(user, "web")
        assert found["path"].endswith("web/model.artifact")
        assert "knows .artifact files from 5.7 on" in found["hint"]
        return
    user.write("model.txt", "one")
    place = "localhost:5000/model:1"
    user.podman("artifact", "add", place, "model.txt")
    user.podman("artifact", "push", "--tls-verify=false", place)
    user.podman("artifact", "rm", place)
    deploy_folder(user, {"web/web.container": sleeper(mount), "web/model.artifact": model})
    ready(user, "web")
    units = {one["name"] for one in app_of(user, "web")["units"]}
    assert {"web.service", "model-artifact.service"} <= units
    user.podman("artifact", "inspect", place)  # it is here again
