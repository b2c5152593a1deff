"""Words of Podman on names that it does not take, and on what is no image."""

import pytest

from supervisor.adapters.podman.pull_errors import failure_of
from supervisor.model.errors import Stalled

ON_FORKY = "unable to copy from source docker://quay.io/a/b:1: "


@pytest.mark.parametrize(
    ("image", "hint"),
    [
        ("localhost:5000/Web:1", "write it in small letters: localhost:5000/web:1"),
        ("quay.io/Me/Web:Beta", "write it in small letters: quay.io/me/web:Beta"),
        ("web:1", "write the image's full name, as in docker.io/library/nginx:1"),
    ],
)
def test_a_name_that_podman_does_not_take_is_told_how_to_write(image: str, hint: str) -> None:
    failure = failure_of(image, "invalid reference format: repository name must be lowercase")
    assert isinstance(failure, Stalled)
    assert failure.hint == hint


@pytest.mark.parametrize("wrapping", ["", ON_FORKY])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            (
                "unsupported image-specific operation on artifact with type"
                ' "application/vnd.cncf.helm.config.v1+json"'
            ),
            "it is no image, but an artifact of the type application/vnd.cncf.helm.config.v1+json",
        ),
        (
            (
                "unsupported image-specific operation on artifact with type"
                " application/vnd.cncf.helm.config.v1+json"
            ),
            "it is no image, but an artifact of the type application/vnd.cncf.helm.config.v1+json",
        ),
        (
            (
                "copying system image from manifest list: Unexpectedly received a manifest list"
                " instead of a manifest for a single image"
            ),
            "it is a list of lists of images, which Podman cannot read",
        ),
    ],
)
def test_what_is_no_image_waits_for_a_person(wrapping: str, words: str, said: str) -> None:
    failure = failure_of("quay.io/a/b:1", wrapping + words)
    assert isinstance(failure, Stalled)
    assert str(failure) == f"cannot pull quay.io/a/b:1: {said}"
    assert "ImageFilter=" in failure.hint
