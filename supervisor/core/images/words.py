"""What people call images and their versions."""

from typing import Any

from supervisor.core.images.reference import DOCKER_HUB, full_name, name_and_tag
from supervisor.kit.texts import relative
from supervisor.model.image import ImagePolicy, ImageVersion, Pin, PolicyKind


def is_called(image: str, word: str) -> bool:
    """Whether a person's word names an image: all of it or its end, with its tag or without."""
    repository, tag = name_and_tag(image)
    whole = f"{full_name(repository)}:{tag}"
    ends = (word, f"{word}:{tag}")
    return bool(word) and any(whole == one or whole.endswith(f"/{one}") for one in ends)


def short_name(image: str) -> str:
    """Return what people call an image: without its tag, and without Docker Hub's address."""
    repository, _ = name_and_tag(image)
    return full_name(repository).removeprefix(f"{DOCKER_HUB}/").removeprefix("library/")


def in_words(image: str) -> str:
    """Say which image it is, by its name and tag, or its name and how its digest or id begins."""
    name, at, digest = image.partition("@")
    return f"{short_name(name)} {version_in_words(digest)}" if at else image


def pin_in_words(pin: Pin) -> str:
    """Say which image runs in which version: `nginx 1.27 (3f2a91c0d4e5)`."""
    image = pin.question.partition(" ")[0]
    return f"{short_name(image)} {version_in_words(pin.runs, pin.tag)}"


def version_in_words(runs: str, tag: str = "") -> str:
    """Say which version it is: `1.27 (3f2a91c0d4e5)`, its tag and how its digest or id begins."""
    return str(ImageVersion(runs=runs, tag=tag))


def policy_words(policy: ImagePolicy) -> str:
    """Write it as it would stand in a unit."""
    text = str(policy.kind)
    if policy.kind is PolicyKind.SEMVER:
        text += f":{policy.pattern}"
    elif policy.kind is PolicyKind.REGEX:
        by = f":{policy.group}" if policy.group else ""
        text += f":{policy.pattern} {policy.order}{by}"
    if policy.filter:
        text += f" with ImageFilter={policy.filter}"
    if policy.prereleases:
        text += " with ImagePrereleases=yes"
    return text


def is_unknown(image: dict[str, Any]) -> bool:
    """Whether a newer version is looked for, and it cannot be said whether there is one."""
    return bool(image.get("known", {}).get("problem")) and not image.get("off")


def unknown_in_words(image: dict[str, Any], *, now: float) -> str:
    """Say in one line why it is not known whether there is a newer version; empty if it is known.

    `image` is the plain JSON of an `ImageStatus`.
    """
    if not is_unknown(image):
        return ""
    known = image["known"]
    answered = known.get("answered_at", 0.0)
    when = f"last answered {relative(answered, now=now)}" if answered else "never answered"
    told = f", {when}" if known.get("failures") else ""
    newer = f"whether there is a newer {short_name(image['image'])}"
    return f"{newer} is unknown{told}: {known['problem']}"


def in_turn(image: dict[str, Any]) -> str:
    """Say behind an image on trial which units do not run it yet; empty if all do."""
    units = image.get("not_yet", ())
    if not units:
        return ""
    run = "run" if len(units) > 1 else "runs"
    return f"; until their turn comes, {', '.join(units)} {run} another"


def update_in_words(image: str, update: dict[str, Any], *, now: float) -> str:
    """Say in one line which newer version is held back, or failed here, and why."""
    new = update["version"]
    name = f"{short_name(image)} {version_in_words(new['runs'], new.get('tag', ''))}"
    if update.get("failed"):
        return f"{name} failed here, and the one before runs: {update['why']}"
    until = update.get("until", 0.0)
    due = f"; it goes {relative(until, now=now)}" if until else ""
    return f"{name} waits: {update['why']}{due}"
