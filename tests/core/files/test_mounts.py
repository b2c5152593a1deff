"""What of the host a unit writes to."""

import pytest

from supervisor.core.files.mounts import named_volumes, writable_mounts


@pytest.mark.parametrize(
    ("volume", "paths"),
    [
        ("/srv/data:/data", ("/srv/data",)),
        ("/srv//data/:/data:Z,U", ("/srv/data",)),
        ("/etc/localtime:/etc/localtime:ro", ()),
        ("/srv/data:/data:z,O", ()),
        ("data.volume:/data", ()),
        ("/anonymous", ()),
        ("/apps/web/conf:/conf", ()),
        ("/apps2:/conf", ("/apps2",)),
        ("", ()),
    ],
)
def test_a_volume_is_written_to_unless_it_says_otherwise(volume, paths):
    assert writable_mounts([volume], [], besides=["/apps"]) == paths


@pytest.mark.parametrize(
    ("mount", "paths"),
    [
        ("type=bind,source=/srv/data,target=/data", ("/srv/data",)),
        ("type=bind,src=/srv/data,dst=/data,ro=false", ("/srv/data",)),
        ("type=bind,src=/srv/data,dst=/data,ro", ()),
        ("type=bind,src=/srv/data,dst=/data,readonly=true", ()),
        ("type=volume,source=data,destination=/data", ()),
        ("type=tmpfs,dst=/data", ()),
        ("=,,=", ()),
    ],
)
def test_a_mount_is_written_to_if_it_is_a_bind(mount, paths):
    assert writable_mounts([], [mount], besides=[]) == paths


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("-v systemd-data:/data:Z", ["systemd-data"]),
        ("--volume=data:/data -v db:/db", ["data", "db"]),
        ("-v /srv/data:/data -v ./conf:/conf -v /anonymous -v %h:/h", []),
        ("--mount type=volume,source=data,target=/data", ["data"]),
        ("--mount type=volume,src=data,dst=/data,ro", ["data"]),
        ("--mount type=bind,source=data,target=/data --mount=type=tmpfs,dst=/x", []),
    ],
)
def test_volumes_are_known_by_the_names_that_podman_is_told(arguments, names):
    assert list(named_volumes(["podman", "run", *arguments.split(), "web:1", "run"])) == names
