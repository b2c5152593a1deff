"""How far a pull is, and whether it fits, in words."""

import pytest

from supervisor.core.images.pulling import lacks_room, progress_in_words
from supervisor.kit.texts import rough_size
from supervisor.model.image import PullProgress, StoreRoom

GB = 10**9


def room(layers: int, downloads: int | None = None) -> StoreRoom:
    return StoreRoom(
        layers="/store",
        layers_free=layers,
        downloads="/tmp",
        downloads_free=layers if downloads is None else downloads,
        is_one=downloads is None,
    )


def test_what_is_not_known_yet_is_not_said() -> None:
    assert progress_in_words(PullProgress()) == "pulling"
    assert progress_in_words(PullProgress(layers=7, layers_here=3)) == "pulling: 3 of 7 layers"
    known = PullProgress(layers=7, layers_here=3, bytes=12_300_000, total=40 * 10**6)
    assert progress_in_words(known) == "pulling: 3 of 7 layers, 12 MB of 40 MB"


@pytest.mark.parametrize(
    ("free", "packed", "why"),
    [
        (room(5 * GB), 0, ""),
        (room(3 * GB), GB, ""),
        (room(2 * GB), GB, "it needs about 3.0 GB, and 2.0 GB are free in /store"),
        (room(2 * GB, GB), GB, ""),
        (room(9 * GB, GB - 1), GB, "it needs about 1.0 GB, and 1000 MB are free in /tmp"),
        (
            room(50 * 10**6),
            0,
            "less than 105 MB is no room for an image, and 50 MB are free in /store",
        ),
        (room(50 * 10**6), 10, "less than 105 MB is no room for an image, and 50 MB are free"),
    ],
)
def test_what_does_not_fit_is_said_with_figures(free: StoreRoom, packed: int, why: str) -> None:
    said = lacks_room(free, packed=packed)
    assert said.startswith(why)
    assert bool(said) is bool(why)


def test_sizes_at_a_glance() -> None:
    sizes = (0, 950, 1_500, 12_300_000, 2_000_000_000, 5 * 10**15)
    assert [rough_size(one) for one in sizes] == [
        "0 B",
        "950 B",
        "1.5 kB",
        "12 MB",
        "2.0 GB",
        "5000 TB",
    ]
