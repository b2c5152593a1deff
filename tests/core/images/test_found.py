"""What is said of an image becomes a version of it."""

from supervisor.core.images.found import own_digest, version_of
from supervisor.model.image import ImageVersion, TagDigest

DIGEST = f"sha256:{'a' * 64}"


def test_a_tag_of_a_registry_is_the_version_that_it_stands_for():
    found = TagDigest(digest=DIGEST, pushed_at=5.0)
    assert version_of("reg.example:5000/web:1", found, seen_at=7.0) == ImageVersion(
        runs=f"reg.example:5000/web@{DIGEST}", tag="1", seen_at=7.0, pushed_at=5.0
    )


def test_the_first_digest_of_the_image_s_own_repository_counts():
    other, mine = f"docker.io/library/web@{DIGEST}", f"reg.example/web@{DIGEST}"
    longer = f"reg.example/web-admin@{DIGEST}"
    assert own_digest("reg.example/web:1", (other, longer, mine, f"{mine}0")) == mine
    assert own_digest("reg.example/web:1", (other, longer)) == ""
