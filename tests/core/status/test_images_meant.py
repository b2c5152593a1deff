"""Which images a person means, and which version."""

import msgspec
import pytest

from supervisor.core.status.images_meant import images_and_version, images_called
from supervisor.model.errors import Stalled
from supervisor.model.image import ImageKnowledge, ImageQuestion
from supervisor.model.image_status import ImageStatus


def image(app, name, *, followed=True):
    known = ImageKnowledge(question=ImageQuestion(image=name)) if followed else None
    return ImageStatus(app=app, image=name, known=known)


NGINX = image("web", "docker.io/library/nginx:1.27")
API = image("web", "ghcr.io/me/api:main")
BUILT = image("web", "localhost/tool:latest", followed=False)
OTHER = image("shop", "docker.io/library/nginx:1.27")
DB = image("db", "docker.io/library/postgres:16", followed=False)
ALL = (NGINX, API, BUILT, OTHER, DB)
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", [NGINX, API, OTHER]),
        ("web", [NGINX, API]),
        ("nginx", [NGINX, OTHER]),
        ("docker.io/library/nginx:1.27", [NGINX, OTHER]),
        ("me/api", [API]),
    ],
)
def test_an_app_or_an_image_is_meant_by_its_name(name, found):
    assert images_called(ALL, name) == found


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("wbe", "no app and no image named “wbe”", "“web”"),
        ("ngnix", "no app and no image named “ngnix”", "“nginx”"),
        ("quite-another", "no app and no image named", "podvisor images"),
        ("db", "no newer versions of db are looked for", "AutoUpdate=registry"),
        ("tool", "no newer versions of tool are looked for", "AutoUpdate=registry"),
    ],
)
def test_what_cannot_be_meant_is_said_with_what_was(name, message, hint):
    with pytest.raises(Stalled, match=message) as refused:
        images_called(ALL, name)
    assert hint in refused.value.hint


def test_there_may_be_nothing_to_mean():
    with pytest.raises(Stalled, match="no newer versions of any image"):
        images_called((), "")


OFF = msgspec.structs.replace(NGINX, off=True)


def test_what_is_not_asked_for_is_not_updated_but_can_be_pinned():
    assert images_called((OFF, API), "") == [API]
    assert images_called((OFF, API), "web") == [API]
    for name in ("nginx", ""):
        with pytest.raises(Stalled, match=f"updates of {name or 'all images'} are off") as refused:
            images_called((OFF, BUILT), name)
        assert "podvisor pin" in refused.value.hint
    assert images_and_version("web", (OFF, BUILT), ["1.26"]) == ([OFF], "1.26")


TWO = (NGINX, API, BUILT)


@pytest.mark.parametrize(
    ("images", "words", "found", "version"),
    [
        (TWO, [], [NGINX, API], ""),
        (TWO, ["nginx"], [NGINX], ""),
        (TWO, ["nginx", "1.27.3"], [NGINX], "1.27.3"),
        (TWO, ["nginx", DIGEST], [NGINX], DIGEST),
        (TWO, ["nginx:1.27.3"], [NGINX], "1.27.3"),
        (TWO, [f"nginx@{DIGEST}"], [NGINX], DIGEST),
        (TWO, [f"nginx:1.27.3@{DIGEST}"], [NGINX], DIGEST),
        (TWO, ["ghcr.io/me/api:dev"], [API], "dev"),
        ([NGINX, BUILT], ["1.27.3"], [NGINX], "1.27.3"),
        ([NGINX], [DIGEST], [NGINX], DIGEST),
        ([NGINX], ["aaaaaaaaaaaa"], [NGINX], "aaaaaaaaaaaa"),
    ],
)
def test_one_word_is_the_image_or_the_version(images, words, found, version):
    assert images_and_version("web", images, words) == (found, version)


@pytest.mark.parametrize(
    ("images", "words", "message", "hint"),
    [
        (TWO, ["1.27.3"], "web has no image named “1.27.3”", "there are ghcr.io/me/api"),
        (TWO, ["ngnix", "1"], "web has no image named “ngnix”", "“nginx”"),
        (TWO, ["tool", "1"], "no newer versions of tool are looked for", "AutoUpdate"),
        ([NGINX, BUILT], ["tool"], "no newer versions of tool are looked for", "AutoUpdate"),
        ([BUILT], ["tool"], "no newer versions of web are looked for", "AutoUpdate"),
    ],
)
def test_an_image_that_is_not_there_is_refused(images, words, message, hint):
    with pytest.raises(Stalled, match=message) as refused:
        images_and_version("web", images, words)
    assert hint in refused.value.hint
