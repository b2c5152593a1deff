"""Which questions a name is about, whoever says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.images.concerns import (
    concerned,
    is_about,
    is_fixed,
    lists_tags,
    named,
    repository_of,
)
from supervisor.model.image import ImagePolicy, ImageQuestion, PolicyKind

ONE = ImageQuestion(image="docker.io/library/nginx:1.27")
TAGS = ImageQuestion(
    image="docker.io/library/nginx:1.26",
    policy=ImagePolicy(kind=PolicyKind.SEMVER, pattern="^1"),
)
LOCAL = ImageQuestion(image="docker.io/library/nginx:1.27", is_local=True, policy=TAGS.policy)


@pytest.mark.parametrize(
    ("name", "repository", "tag"),
    [
        ("docker.io/nginx:1.27", "docker.io/library/nginx", "1.27"),
        ("docker.io/library/nginx", "docker.io/library/nginx", ""),
        ("localhost:5000/me/web", "localhost:5000/me/web", ""),
        ("localhost:5000/me/web:1@sha256:0", "localhost:5000/me/web", "1"),
        ("nginx:1", "nginx", "1"),
        ("", "", ""),
    ],
)
def test_names(name, repository, tag):
    assert named(name) == (repository, tag)


@given(st.text(max_size=80))
def test_any_text_is_some_name(text):
    repository, tag = named(text)
    assert "@" not in repository
    assert "/" not in tag


def test_a_tag_is_about_itself_and_about_whoever_goes_by_all_tags():
    questions = [ONE, TAGS, LOCAL]
    assert {repository_of(one) for one in questions} == {"docker.io/library/nginx"}
    assert list(concerned(questions, "")) == questions
    assert list(concerned(questions, "1.27")) == questions
    assert list(concerned(questions, "1.28")) == [TAGS]
    assert not lists_tags(LOCAL), "there is but one image here by that name"


@pytest.mark.parametrize(
    ("tag", "fixed"),
    [
        ("1.27.3", True),
        ("v1.27.3-alpine", True),
        ("2024.01.02", True),
        ("1.27", False),
        ("latest", False),
        ("1.2.3.4", False),
        ("stable-1.2.3", False),
        ("\u0661.\u0662.\u0663", False),
    ],
)
def test_tags_that_are_meant_to_be_pushed_once(tag, fixed):
    assert is_fixed(tag) is fixed


@pytest.mark.parametrize(
    ("name", "is_it"),
    [
        ("registry.example.org/me/apps:main", True),
        ("registry.example.org/me/apps", True),
        ("me/apps:main", True),
        ("registry.example.org/me/apps:other", False),
        ("registry.example.org/you/me/apps:main", False),
        ("other.example.org/me/apps:main", False),
        ("apps-of/me/apps:main", False),
        ("pps:main", False),
    ],
)
def test_a_name_is_about_an_image_or_not(name, is_it):
    assert is_about(name, "registry.example.org/me/apps:main") is is_it
    assert is_about(name, f"registry.example.org/me/apps@sha256:{'0' * 64}") is (
        is_it and ":" not in name
    )
