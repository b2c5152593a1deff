"""By which names Podman fetches an image."""

import pytest

from supervisor.core.images.mirrors import fetched_as
from supervisor.model.podman import Mirror, RegistryRule

RULES = (
    RegistryRule(prefix="a.example", location="b.example/cache"),
    RegistryRule(prefix="*.wild.example", location="b.example:5000"),
    RegistryRule(
        prefix="docker.io",
        location="docker.io",
        mirrors=(
            Mirror(location="m1.example/hub"),
            Mirror(location="m2.example", pulls="digest-only"),
            Mirror(location="m3.example", pulls="tag-only"),
        ),
    ),
    RegistryRule(
        prefix="docker.io/me",
        mirrors=(Mirror(location="m1.example"), Mirror(location="m1.example")),
        mirrors_are_for_digests=True,
    ),
)


@pytest.mark.parametrize(
    ("repository", "names"),
    [
        ("c.example/web", ["c.example/web"]),
        ("a.example/web", ["b.example/cache/web"]),
        ("x.wild.example/y/web", ["b.example:5000/y/web"]),
        (
            "docker.io/library/web",
            [
                "m1.example/hub/library/web",
                "m2.example/library/web",
                "m3.example/library/web",
                "docker.io/library/web",
            ],
        ),
        ("docker.io/me/web", ["m1.example/web", "docker.io/me/web"]),
    ],
)
def test_where_an_image_may_come_from(repository: str, names: list[str]) -> None:
    assert list(fetched_as(repository, RULES)) == names
