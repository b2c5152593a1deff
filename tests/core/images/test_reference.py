"""Names of images."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.reference import (
    Reference,
    built_name,
    full_name,
    parse_reference,
    stored_name,
)

DIGEST = f"sha256:{'0a' * 32}"


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


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest"),
    [
        ("docker.io/nginx", "docker.io", "library/nginx", "latest", ""),
        ("index.docker.io/me/web:1", "docker.io", "me/web", "1", ""),
        ("docker://docker.io/library/nginx:1.27", "docker.io", "library/nginx", "1.27", ""),
        ("ghcr.io/me/web:v1.0-rc.1", "ghcr.io", "me/web", "v1.0-rc.1", ""),
        ("localhost/web", "localhost", "web", "latest", ""),
        ("localhost:5000/a/b/c:x", "localhost:5000", "a/b/c", "x", ""),
        ("[::1]:5000/web:1", "[::1]:5000", "web", "1", ""),
        ("quay.io/a/b__c--d.e:1", "quay.io", "a/b__c--d.e", "1", ""),
        (f"quay.io/me/web@{DIGEST}", "quay.io", "me/web", "", DIGEST),
        (f"quay.io/me/web:1@{DIGEST}", "quay.io", "me/web", "1", DIGEST),
        ("nginx", "", "nginx", "latest", ""),
        ("me/web:2", "", "me/web", "2", ""),
    ],
)
def test_the_parts_of_a_reference(text, host, path, tag, digest):
    found = parse_reference(text)
    assert found == Reference(host=host, path=path, tag=tag, digest=digest)
    assert parse_reference(str(found)) == found


def test_how_registries_and_people_are_told_of_an_image():
    found = parse_reference("docker.io/nginx:1.27")
    assert (found.repository, found.tagged) == (
        "docker.io/library/nginx",
        "docker.io/library/nginx:1.27",
    )
    by_digest = parse_reference(f"docker.io/nginx@{DIGEST}")
    assert str(by_digest) == f"docker.io/library/nginx@{DIGEST}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no image"),
        ("docker.io/", "names no image"),
        ("docker.io/a//b", "names no image"),
        ("docker.io/library/nginx:", "no tag"),
        ("docker.io/library/nginx:1 2", "no tag"),
        ("docker.io/library/nginx:-1", "no tag"),
        (f"docker.io/library/nginx:{'1' * 129}", "no tag"),
        ("docker.io/library/nginx@sha256:1", "no digest"),
        (f"docker.io/library/nginx@{DIGEST}@{DIGEST}", "no digest"),
        ("a..b/nginx", "no host"),
        ("exa$mple.org/nginx", "no host"),
        ("oci-archive:/tmp/x.tar", "no host"),
        ("../../etc:1", "no host"),
        (f"docker.io/{'a' * 300}", "too long"),
        ("docker.io/nginx\n:1", "names no image"),
        ("x" * 10_000, "too long"),
    ],
)
def test_what_is_no_reference_is_refused(text, words):
    with pytest.raises(Refused, match=words) as refused:
        parse_reference(text)
    assert refused.value.hint
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


def test_a_name_in_capitals_is_answered_with_the_right_one():
    with pytest.raises(Refused) as refused:
        parse_reference("ghcr.io/Me/Web:1")
    assert refused.value.hint == "write it in small letters: me/web"


@given(st.text(max_size=200) | st.from_regex(r"[a-z.:]*/[a-zA-Z/_.:-]*(:\w*)?(@.*)?"))
def test_any_text_is_a_reference_or_refused(text):
    try:
        found = parse_reference(text)
    except Refused:
        return
    assert parse_reference(str(found)) == found
    if found.host and not found.digest:
        assert stored_name(text.removeprefix("docker://")) == str(found)
        assert full_name(found.repository) == found.repository
