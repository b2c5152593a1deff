"""What Podman writes when a layer of an image is not what it was."""

import pytest

from supervisor.core.status.storage_trouble import damaged_storage_mend

LAYER = f"/home/pi/.local/share/containers/storage/overlay/{'62092981' * 8}"


@pytest.mark.parametrize(
    "text",
    [
        f"Error: faccessat {LAYER}: no such file or directory",
        f"Error: readlink {LAYER}/diff: no such file or directory",
        'level=error msg="Image x exists in local storage but may be corrupted (remove the image',
        f"Error: top layer {'fc' * 32} of image {'53' * 32} not found in layer tree",
        "Error: layer not known",
    ],
)
def test_what_is_damaged_is_told_with_what_mends_it(text: str) -> None:
    assert "podman system check --repair --force" in damaged_storage_mend(f"one\n{text}\nthree")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Error: localhost/web:1: image not known",
        "open /data/overlay/map.png: no such file or directory",
        "Error: statfs /srv/overlay: no such file or directory",
    ],
)
def test_what_programs_say_of_their_own_is_not(text: str) -> None:
    assert not damaged_storage_mend(text)
