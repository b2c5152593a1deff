"""Names of images."""

import pytest

from supervisor.core.files.image_names import built_name


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("web", "localhost/web:latest"),
        ("web:2", "localhost/web:2"),
        ("me/web", "localhost/me/web:latest"),
        ("localhost/web", "localhost/web:latest"),
        ("registry:5000/web", "registry:5000/web:latest"),
        ("docker.io/library/web:1", "docker.io/library/web:1"),
        ("web-%i", ""),
        ("", ""),
    ],
)
def test_the_whole_name_of_a_built_image(tag, name):
    assert built_name(tag) == name
