"""What people call images and their versions."""

import pytest

from supervisor.core.images.words import is_called, short_name, version_in_words

NGINX = "docker.io/library/nginx:1.27"


@pytest.mark.parametrize(
    "word",
    ["nginx", "nginx:1.27", "library/nginx", "docker.io/library/nginx", NGINX],
)
def test_an_image_is_called_by_its_name_or_the_end_of_it(word):
    assert is_called(NGINX, word)


@pytest.mark.parametrize("word", ["", "inx", "nginx:1.28", "1.27", ":1.27", "/nginx", "docker.io"])
def test_no_part_of_a_word_is_a_name(word):
    assert not is_called(NGINX, word)


@pytest.mark.parametrize(
    ("image", "short"),
    [
        (NGINX, "nginx"),
        ("docker.io/nginx", "nginx"),
        ("docker.io/me/web:2", "me/web"),
        ("ghcr.io/me/web:2", "ghcr.io/me/web"),
        ("localhost:5000/web", "localhost:5000/web"),
        ("web", "web"),
    ],
)
def test_the_short_name_of_an_image_still_names_it(image, short):
    assert short_name(image) == short
    assert is_called(image, short)


@pytest.mark.parametrize(
    ("runs", "tag", "words"),
    [
        (f"docker.io/library/nginx@sha256:{'3f2a91c0d4e5' * 5}abcd", "1.27", "1.27 (3f2a91c0d4e5)"),
        (f"docker.io/library/nginx@sha256:{'3f2a91c0d4e5' * 5}abcd", "", "3f2a91c0d4e5"),
        (f"{'3f2a91c0d4e5' * 5}abcd", "1.27", "1.27 (3f2a91c0d4e5)"),
    ],
)
def test_a_version_is_said_by_tag_and_digest(runs, tag, words):
    assert version_in_words(runs, tag) == words
