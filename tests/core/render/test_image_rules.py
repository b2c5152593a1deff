"""Which images of an app are kept up to date, and how."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.files.unitfile import merge
from supervisor.core.render.quadlet_output import read_units
from supervisor.core.render.reading import Reading
from supervisor.model.image import (
    ImagePolicy,
    ImageQuestion,
    ImageRule,
    PolicyKind,
    TagOrder,
    UpdateMode,
)
from tests.core.candidates import from_texts

PLACE = Place(stage="/stage", live="/live", home="/home/pi")
NGINX = "docker.io/library/nginx:1.27"
PINNED = f"docker.io/library/nginx@sha256:{'0' * 64}"
BOTH = f"{NGINX}@sha256:{'0' * 64}"
SEMVER = ImagePolicy(kind=PolicyKind.SEMVER, pattern="^1.4")


def read(texts: dict[str, str]) -> Reading:
    """Read an app as if Podman's generator had printed it."""
    files = AppFiles(*from_texts("app", texts))
    reading = Reading(files)
    printed = []
    for path in sorted(texts):
        stem, _, kind = path.rpartition(".")
        if kind not in ("container", "image", "kube", "volume"):
            continue
        lines = [f"---{stem}{'' if kind in ('container', 'kube') else f'-{kind}'}.service---"]
        for entry in merge([*files.shaping(path)]).entries:
            own = entry.section == kind.capitalize()
            lines += [f"[{'X-' if own else ''}{entry.section}]", f"{entry.key}={entry.value}"]
        lines += [f"[X-{kind.capitalize()}]", "[Unit]", f"SourcePath={PLACE.stage}/app/{path}"]
        printed += [*lines, ""]
    read_units("\n".join(printed), {"app": reading}, PLACE)
    return reading


def container(*lines: str, image: str = NGINX, own: tuple[str, ...] = ()) -> str:
    return "\n".join(("[Container]", f"Image={image}", *lines, "[X-Podvisor]", *own, ""))


def rules(texts: dict[str, str]) -> dict[str, ImageRule]:
    reading = read(texts)
    assert not reading.findings
    return {unit.name: unit.image_rule for unit in reading.units if unit.image_rule}


def rule(*lines: str, image: str = NGINX, own: tuple[str, ...] = ()) -> ImageRule:
    return rules({"web.container": container(*lines, image=image, own=own)})["web.service"]


def said(texts: dict[str, str], *, refused: bool = False) -> tuple[str, str, int, str]:
    """Return the one finding of an app without any rule."""
    reading = read(texts)
    (finding,) = reading.findings
    assert finding.fatal == refused
    assert not any(unit.image_rule for unit in reading.units)
    return finding.message, finding.path.removeprefix("apps/app/"), finding.line, finding.hint


@pytest.mark.parametrize(
    "line",
    [
        "AutoUpdate=registry",
        "AutoUpdate=image",
        "Label=io.containers.autoupdate=registry",
        'Label=a=b "io.containers.autoupdate=registry"',
        "PodmanArgs=--label io.containers.autoupdate=registry",
        "PodmanArgs=-l=io.containers.autoupdate=image --rm",
    ],
)
def test_who_takes_part_as_podman_has_it(line):
    assert rule(line) == ImageRule(
        question=ImageQuestion(image=NGINX), path="web.container", line=2
    )


@pytest.mark.parametrize("line", ["", "AutoUpdate=disabled", "Label=io.containers.autoupdate="])
def test_who_takes_no_part(line):
    assert rules({"web.container": container(line)}) == {}


def test_this_hosts_own_image():
    local = rule("AutoUpdate=local", image="localhost/web")
    assert local.question == ImageQuestion(image="localhost/web:latest", is_local=True)


def test_credentials_to_ask_with():
    line = "Label=io.containers.autoupdate.authfile=%h/auth.json"
    assert rule("AutoUpdate=registry", line).question.authfile == "/home/pi/auth.json"


def test_a_policy_takes_part_by_itself():
    own = ("ImagePolicy=semver:^1.4", "ImagePrereleases=yes")
    found = rule(own=own, image="docker.io/nginx").question
    assert found.image == "docker.io/library/nginx:latest"
    assert found.policy == ImagePolicy(kind=PolicyKind.SEMVER, pattern="^1.4", prereleases=True)


def test_a_policy_by_a_pattern_and_a_filter():
    own = (r"ImagePolicy=regex:^v(?P<n>\d+)-.*$ numeric:n", "ImageFilter=.*-alpine")
    assert rule(own=own).question.policy == ImagePolicy(
        kind=PolicyKind.REGEX,
        pattern=r"^v(?P<n>\d+)-.*$",
        group="n",
        order=TagOrder.NUMERIC,
        filter=".*-alpine",
    )


def test_how_and_when_it_is_taken_up():
    own = ("Update=notify", "Cooldown=3d", "Window=Sat,Sun 02:00..05:00", "KeepImages=5")
    found = rule("AutoUpdate=registry", own=own)
    assert (found.update, found.cooldown, found.window, found.keep) == (
        UpdateMode.NOTIFY,
        3 * 86_400,
        "Sat,Sun 02:00..05:00",
        5,
    )


def test_nothing_is_waited_for_whatever_the_settings_say():
    found = rule("AutoUpdate=registry", own=("Cooldown=0", "Window=always"))
    assert (found.cooldown, found.window) == (0.0, "")


def test_of_an_image_file_the_rule_is_its_units_whoever_asks():
    texts = {
        "web.image": f"[Image]\nImage={NGINX}\nAuthFile=/a.json\n[X-Podvisor]\nCooldown=1d\n",
        "web.container": container(
            "AutoUpdate=registry", image="web.image", own=("Update=notify",)
        ),
        "more.container": container(image="web.image"),
    }
    found = rules(texts)
    assert found == {
        "web-image.service": ImageRule(
            question=ImageQuestion(image=NGINX, authfile="/a.json"),
            path="web.image",
            line=2,
            update=UpdateMode.NOTIFY,
            cooldown=86_400,
        )
    }


def test_an_image_file_may_ask_itself():
    texts = {"web.image": f"[Image]\nImage={NGINX}\n[X-Podvisor]\nImagePolicy=semver:^1.4\n"}
    assert rules(texts)["web-image.service"].question.policy == SEMVER


def test_several_containers_of_one_image_have_one_question():
    texts = {
        "a.container": container("AutoUpdate=registry"),
        "b.container": container("AutoUpdate=image"),
    }
    found = rules(texts)
    assert found["a.service"].question == found["b.service"].question
    assert found["b.service"].path == "b.container"


def test_what_runs_a_chosen_version_has_the_rule_of_what_its_own_files_name():
    pin = f"[Container]\nImage={PINNED}\n"
    texts = {"web.container": container("AutoUpdate=registry")}
    pinned = {**texts, "web.container.d/zz-podvisor-image.conf": pin}
    assert rules(pinned) == rules(texts)
    reading = read(pinned)
    assert reading.units[0].images == (PINNED,)


def test_a_digest_in_git_is_never_moved():
    own = ("ImagePolicy=newest",)
    assert rules({"web.container": container("AutoUpdate=registry", image=PINNED, own=own)}) == {}
    assert rules({"web.container": container(image=BOTH, own=own)}) == {}
    assert rules({"web.container": container("AutoUpdate=disabled", image=BOTH)}) == {}


@pytest.mark.parametrize(
    ("line", "fails"),
    [
        ("AutoUpdate=registry", True),
        ("Label=io.containers.autoupdate=image", True),
        ("AutoUpdate=local", False),
    ],
)
def test_beside_a_tag_with_a_digest_auto_update_says_nothing(line, fails):
    """`podman auto-update` takes no name that has both."""
    message, path, at, hint = said({"web.container": container(line, image=BOTH)})
    assert message.startswith(f"AutoUpdate= has no meaning: {BOTH} names one version by its digest")
    assert ("podman auto-update fails at it" in message) == fails
    assert (path, at) == ("web.container", 3)
    assert hint == "leave it out; or the digest, to have the image kept up to date"


def test_a_tag_with_a_digest_in_an_image_file_is_said_once():
    texts = {
        "web.image": f"[Image]\nImage={BOTH}\n",
        "web.container": container("AutoUpdate=registry", image="web.image"),
    }
    message, path, line, _ = said(texts)
    assert "AutoUpdate= has no meaning" in message
    assert (path, line) == ("web.container", 3)


def test_a_drop_in_of_a_persons_own_counts():
    drop_in = f"[Container]\nImage={NGINX}\n[X-Podvisor]\nImagePolicy=semver:^1.4\n"
    texts = {"web.container": "[Container]\nImage=quay.io/x:1\n", "web.container.d/a.conf": drop_in}
    found = rules(texts)["web.service"]
    assert (found.question.image, found.path, found.line) == (NGINX, "web.container", 2)


@pytest.mark.parametrize(
    ("image", "words", "hint"),
    [
        ("nginx", "nginx may be of any registry", "docker.io/library/nginx:latest"),
        ("me/web:2", "me/web:2 may be of any registry", "docker.io/me/web:2"),
        ("docker.io/library/Nginx", "names no image", "library/nginx"),
        ("oci-archive:/srv/web.tar", "is no image of a registry", "name one"),
        ("docker.io/me/web:${TAG}", "shows when it starts", "whole name"),
        ("own.build", "own.build makes it", "built anew"),
        ("", "there is no Image=", ""),
    ],
)
def test_what_cannot_be_kept_up_to_date_is_said_if_it_is_asked_for(image, words, hint):
    message, path, line, said_hint = said(
        {"web.container": container("AutoUpdate=registry", image=image)}
    )
    assert message.startswith("cannot keep the image up to date: ")
    assert words in message
    assert (path, line) == ("web.container", 3)
    assert hint in said_hint
    assert rules({"web.container": container(image=image)}) == {}


@pytest.mark.parametrize("value", ["registry", "image"])
def test_a_short_name_that_podman_does_not_start_is_told_as_that(value):
    message, *_, hint = said({"web.container": container(f"AutoUpdate={value}", image="web:1")})
    assert "Podman does not start it" in message
    assert "docker.io/library/web:1" in hint
    assert "AutoUpdate=local and localhost/web:1" in hint
    texts = {
        "web.image": "[Image]\nImage=web:1\n[X-Podvisor]\nImagePolicy=newest\n",
        "web.container": container(f"AutoUpdate={value}", image="web.image"),
    }
    assert "Podman does not start it" in said(texts)[0]


@pytest.mark.parametrize(
    "texts",
    [
        {"web.container": container("AutoUpdate=local", image="me/web:1")},
        {"web.container": container(image="me/web:1") + "[X-Podvisor]\nImagePolicy=newest\n"},
    ],
)
def test_a_short_name_that_podman_starts_is_only_not_kept_up_to_date(texts):
    message = said(texts)[0]
    assert message == "cannot keep the image up to date: me/web:1 may be of any registry"


def test_instances_of_several_images_follow_none():
    texts = {"web@.container": container("AutoUpdate=registry", image="docker.io/me/web:%i")}
    assert "shows when it starts" in said(texts)[0]


def test_what_is_never_pulled_cannot_follow_a_registry():
    texts = {"web.container": container("AutoUpdate=registry", "Pull=never")}
    assert "Pull=never" in said(texts)[0]
    assert rule("AutoUpdate=local", "Pull=never").question.is_local


@pytest.mark.parametrize(
    ("lines", "own", "message", "line", "hint"),
    [
        (("AutoUpdate=regsitry",), (), "AutoUpdate=regsitry has no meaning", 3, "“registry”"),
        ((), ("ImagePolicy=semvr:^1",), "did you mean semver?", 4, ""),
        ((), ("ImagePolcy=semver:^1",), "ImagePolcy= has no meaning in", 4, "ImagePolicy=?"),
        (
            (),
            (
                "ImagePolicy=newest",
                "ImageFliter=1",
            ),
            "ImageFliter= has no",
            5,
            "ImageFilter=?",
        ),
        ((), ("Windw=Sat",), "Windw= has no meaning in", 4, "did you mean Window=?"),
        ((), ("ImageFilter=1.*",), "ImageFilter= has no meaning without ImagePolicy=", 4, ""),
        ((), ("ImagePolicy=^1.4",), "has no meaning: write semver:^1.4", 4, ""),
        ((), ("ImagePolicy=semver:one",), "“one” is no range of versions", 4, ""),
        (
            (),
            ("ImagePolicy=newest", "ImageFilter=(?P<a>1)(?P<b>2)"),
            "only one can be named",
            5,
            "",
        ),
        ((), ("ImageFilter=(",), "is no regular expression", 4, ""),
        ((), ("Update=always",), "write one of auto, download, notify, off", 4, ""),
        ((), ("KeepImages=0",), "it must be a number from 1 to 1000", 4, ""),
        ((), ("Cooldown=soon",), "is not a duration", 4, ""),
        ((), ("Window=Sat 02:00",), "02:00 is a moment", 4, "write until when"),
        ((), ("ImagePrereleases=maybe",), "write yes or no", 4, ""),
    ],
)
def test_what_means_nothing_is_refused(lines, own, message, line, hint):
    text, path, at, said_hint = said({"web.container": container(*lines, own=own)}, refused=True)
    assert message in text
    assert (path, at) == ("web.container", line)
    assert hint in said_hint


@pytest.mark.parametrize("wrong", ["ImagePolicy=semvr:^1", "ImagePolcy=semver:^1"])
def test_nothing_else_is_said_beside_a_policy_that_cannot_be_read(wrong):
    own = (wrong, "ImageFilter=1.*", "Cooldown=3d")
    texts = {
        "web.container": container(own=own),
        "more.container": container(own=("ImagePolicy=newest",)),
    }
    assert said(texts, refused=True)[1:3] == ("web.container", 4)


def test_what_says_when_counts_for_nothing_where_nothing_is_followed():
    message, _, line, _ = said({"web.container": container(own=("Cooldown=3d",))})
    assert (message, line) == ("Cooldown= has no meaning without AutoUpdate= or ImagePolicy=", 4)


def test_other_unknown_keys_hold_nothing_up():
    reading = read({"web.container": container("AutoUpdate=registry", own=("Setle=1m",))})
    assert [one.fatal for one in reading.findings] == [False]
    assert reading.units[0].image_rule


def test_keys_that_mean_nothing_in_that_kind_of_unit():
    texts = {"data.volume": "[Volume]\n[X-Podvisor]\nUpdate=off\n"}
    message, _, line, hint = said(texts)
    assert (message, line) == ("Update= has no meaning here", 3)
    assert hint == "it is for .container and .image files"


def test_two_policies_of_one_image_are_refused():
    texts = {
        "a.container": container("AutoUpdate=registry"),
        "b.container": container(own=("ImagePolicy=semver:^1.4",)),
    }
    (finding,) = read(texts).findings
    assert finding.fatal
    assert finding.message == f"{NGINX} is to be semver:^1.4 here, and digest in a.container"
    assert (finding.path, finding.line) == ("apps/app/b.container", 4)
    assert "move together" in finding.hint


def test_two_policies_that_read_the_same_are_two():
    texts = {
        "a.container": container(
            own=("ImagePolicy=newest", "ImageFilter=1.*", "ImagePrereleases=yes")
        ),
        "b.container": container(
            own=("ImagePolicy=newest", "ImageFilter=1.* with ImagePrereleases=yes")
        ),
    }
    (finding,) = read(texts).findings
    assert finding.fatal
    assert "move together" in finding.hint


def test_two_policies_for_one_image_file_are_refused():
    texts = {
        "web.image": f"[Image]\nImage={NGINX}\n[X-Podvisor]\nImagePolicy=newest\n",
        "web.container": container(image="web.image", own=("ImagePolicy=semver:^1.4",)),
    }
    message, path, _, _ = said(texts, refused=True)
    assert message == "web.image is to be newest, and by web.container semver:^1.4"
    assert path == "web.image"


def test_an_image_file_is_refused_of_which_one_word_means_nothing():
    own = "[X-Podvisor]\nImagePolicy=newest\nImageFilter=(?P<a>1)(?P<b>2)\nWindow=Sat\n"
    texts = {
        "web.image": f"[Image]\nImage={NGINX}\n{own}",
        "web.container": container("AutoUpdate=registry", image="web.image"),
    }
    assert said(texts, refused=True)[1] == "web.image"


def test_a_policy_beside_local_counts_for_nothing():
    reading = read({"web.container": container("AutoUpdate=local", own=("ImagePolicy=newest",))})
    (finding,) = reading.findings
    assert "no meaning beside AutoUpdate=local" in finding.message
    assert reading.units[0].image_rule
    assert reading.units[0].image_rule.question.is_local


def test_a_variant_that_a_policy_does_not_keep_is_a_warning():
    text = container(image=f"{NGINX}-alpine", own=("ImagePolicy=semver:^1.27",))
    reading = read({"web.container": text})
    (finding,) = reading.findings
    assert not finding.fatal
    assert "without -alpine" in finding.message
    assert "ImageFilter=" in finding.hint
    assert finding.line == 4
    assert reading.units[0].image_rule


def test_an_image_is_pulled_by_its_credentials_also_where_it_is_not_kept_up_to_date():
    label = "Label=io.containers.autoupdate.authfile=%h/auth.json"
    texts = {
        "web.image": f"[Image]\nImage={NGINX}\n",
        "web.container": container(label, image="web.image"),
        "db.image": f"[Image]\nImage={NGINX}\nAuthFile=/a.json\n",
        "one.container": container(label),
        "two.container": container("PodmanArgs=--init --authfile=%h/auth.json"),
        "none.container": container(),
    }
    found = {unit.path: unit.authfile for unit in read(texts).units if unit.images}
    assert found == {
        "web.image": "/home/pi/auth.json",
        "db.image": "/a.json",
        "one.container": "/home/pi/auth.json",
        "two.container": "/home/pi/auth.json",
        "none.container": "",
    }


def test_credentials_without_a_root_count_for_nothing():
    line = "Label=io.containers.autoupdate.authfile=auth.json"
    reading = read({"web.container": container("AutoUpdate=registry", line)})
    (finding,) = reading.findings
    assert "no absolute path" in finding.message
    assert reading.units[0].image_rule
    assert reading.units[0].image_rule.question.authfile == ""


@pytest.mark.parametrize(
    ("kube", "yaml", "path", "line"),
    [
        ("AutoUpdate=registry", "", "web.kube", 3),
        ("AutoUpdate=web/local", "", "web.kube", 3),
        ("", "io.containers.autoupdate: registry", "web.yaml", 2),
        ("", 'io.containers.autoupdate/web: "image"', "web.yaml", 2),
    ],
)
def test_what_a_kube_asks_podman_for_is_told_of(kube, yaml, path, line):
    texts = {
        "web.kube": f"[Kube]\nYaml=web.yaml\n{kube}\n",
        "web.yaml": f"metadata:\n    {yaml}\n",
    }
    message, at, at_line, hint = said(texts)
    assert "YAML" in message
    assert (at, at_line) == (path, line)
    assert ".container" in hint


def test_a_kube_that_asks_for_nothing_is_not_told_of():
    texts = {"web.kube": "[Kube]\nYaml=web.yaml\nAutoUpdate=disabled\n", "web.yaml": "a: b\n"}
    assert rules(texts) == {}
