"""What of the host a unit writes to."""

import pytest

from supervisor.core.files.mounts import writable_mounts


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
