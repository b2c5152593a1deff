"""Releases: one id for the same content with the same images, and another for any other."""

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.core.health.release import release_id
from supervisor.model.source import AppRevision, FileKind, TreeFile

words = st.text(alphabet="ab/@:\udcff", max_size=3)
files = st.builds(TreeFile, path=words, oid=words, kind=st.sampled_from(FileKind), size=st.just(1))
apps = st.builds(
    AppRevision,
    name=st.just("web"),
    source=words,
    revision=words,
    root=words,
    overlay=words,
    files=st.lists(files, max_size=2).map(sorted).map(tuple),
)
images = st.dictionaries(words, words, max_size=2)


def made_of(app):
    return app.source, app.root, app.overlay, app.files


@given(apps, apps, images, images)
@example(
    AppRevision(name="web", source="a", revision="1", root="", files=()),
    AppRevision(name="web", source="a", revision="2", root="", files=()),
    {"a": "b"},
    {"a": "b"},
)
def test_releases_are_one_exactly_if_content_and_images_are(app, other, some, others):
    same = made_of(app) == made_of(other)
    assert (app.content == other.content) == same
    ids = release_id(app.content, some), release_id(other.content, others)
    assert (ids[0] == ids[1]) == (same and some == others)


@given(apps, images, words)
def test_neither_a_commit_nor_the_order_of_images_makes_another_release(app, some, revision):
    later = replace(app, revision=revision)
    turned = dict(reversed(some.items()))
    assert release_id(app.content, some) == release_id(later.content, turned)
