"""How the images of an app stand, in one struct for each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from supervisor.core.health.gate import is_on
from supervisor.core.images.choose import failed_images
from supervisor.core.images.reference import name_and_tag
from supervisor.core.images.rules import effective, update_mode
from supervisor.model.app import Deployment, DesiredUnit
from supervisor.model.image import (
    HeldUpdate,
    ImageKnowledge,
    ImageOrder,
    ImageQuestion,
    ImageRule,
    ImageVersion,
    UpdateMode,
    order_key,
)
from supervisor.model.image_status import ImageStatus
from supervisor.model.observed import AppliedApp, UnitInputs
from supervisor.model.rollout import Rollout
from supervisor.model.settings import ImageSettings


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look up what is known of images."""

    knowledge: Callable[[str], ImageKnowledge | None]
    """By the key of the question."""
    order: Callable[[str], ImageOrder | None]
    """As of `ImageOrder.key`."""
    next_check_at: Callable[[str], float] = lambda _: 0.0
    """When a question is asked next, by its key: seconds since the epoch, 0 if nobody knows."""
    pull_error: Callable[[str], str] = lambda _: ""
    """Why a version (`runs`) could not be pulled; empty if it could, or nobody tried."""
    settings: ImageSettings = ImageSettings()


def image_statuses(
    deployment: Deployment, rollouts: Sequence[Rollout], applied: AppliedApp | None, known: Known
) -> Iterator[ImageStatus]:
    """Yield how each image of an app stands.

    `rollouts` are all of the app, of which `applied` names the release that passed its gate last.
    What is asked of registries, the newest revision says; what runs is that of a former one where
    the newest was taken back.
    """
    name, last_good = deployment.name, deployment.last_good
    app = deployment.wanted or last_good
    if app is None:
        return
    release = running_release(rollouts, applied.release if applied else "")
    started = applied.units if applied else {}
    is_former = release and last_good and release.content == last_good.content
    stands = last_good if is_former and last_good else app
    rules: dict[str, list[ImageRule]] = {}
    others: dict[str, list[DesiredUnit]] = {}
    for unit in app.units:
        if rule := unit.image_rule:
            rules.setdefault(rule.question.key, []).append(rule)
    followed = {some[-1].question.image for some in rules.values()}
    for unit in stands.units:
        for image in () if unit.image_rule else unit.images:
            if image not in followed:
                others.setdefault(image, []).append(unit)
    updates = {one.question: one for one in deployment.updates}
    for key, some in rules.items():
        question, paths = some[-1].question, dict.fromkeys(rule.path for rule in some)
        status = _followed(name, question, release, known, held=updates.get(key))
        mode = update_mode(effective(rule, name, known.settings) for rule in some)
        if mode is UpdateMode.OFF:
            status = msgspec.structs.replace(status, off=True, next_check_at=0.0)
        users = [one for one in app.units if one.image_rule and one.image_rule.question.key == key]
        status = msgspec.structs.replace(status, paths=tuple(paths))
        yield _with_turns(status, users, started)
    for image, units in others.items():
        status = _unfollowed(name, image, release)
        status = msgspec.structs.replace(status, paths=tuple(unit.path for unit in units))
        yield _with_turns(status, units, started)


def _with_turns(
    status: ImageStatus, units: Iterable[DesiredUnit], started: Mapping[str, UnitInputs]
) -> ImageStatus:
    """Say of a release on trial which units run with what they were `started` with before it."""
    running = status.running
    if running is None or not status.on_trial:
        return status
    not_yet = (
        name
        for unit in units
        for name in unit.runtime_names
        if (old := started.get(name))
        and old.digest != unit.digest
        and running.runs not in (*old.images, *old.images.values())
    )
    return msgspec.structs.replace(status, not_yet=tuple(not_yet))


def last_image_statuses(
    app: str, rollouts: Sequence[Rollout], applied: str, known: Known
) -> Iterator[ImageStatus]:
    """Yield how the images of an app stood last, as far as what was tried of it tells."""
    release = running_release(rollouts, applied)
    if release is None:
        return
    failed = failed_images(rollouts)
    for key in dict.fromkeys(pin.question for pin in release.pins):
        knowledge = known.knowledge(key)
        question = knowledge.question if knowledge else ImageQuestion(image=key.partition(" ")[0])
        newest = knowledge.newest if knowledge else None
        held = None
        if newest and (why := failed.get((key, newest.runs))) is not None:
            held = HeldUpdate(
                app=app, question=key, image=question.image, version=newest, why=why, failed=True
            )
        yield _followed(app, question, release, known, held=held)
    pinned = {pin.runs for pin in release.pins}
    for image in release.images:
        if image not in pinned:
            yield _unfollowed(app, image, release)


def running_release(rollouts: Iterable[Rollout], applied: str) -> Rollout | None:
    """Return the release whose images run: that on trial, else the one that was applied last."""
    tried = list(rollouts)
    if tried and is_on(tried[-1]):
        return tried[-1]
    return next((one for one in tried if one.release == applied), None)


def _followed(
    app: str,
    question: ImageQuestion,
    release: Rollout | None,
    known: Known,
    *,
    held: HeldUpdate | None = None,
) -> ImageStatus:
    """Say of an image how it stands whose newest version is asked for."""
    key = question.key
    order = known.order(order_key(app, key))
    knowledge = known.knowledge(key) or ImageKnowledge(question=question)
    status = ImageStatus(
        app=app,
        image=question.image,
        running=_running(question, release),
        on_trial=bool(release and is_on(release)),
        known=knowledge,
        next_check_at=known.next_check_at(key),
        held=held,
        pinned=order.pinned if order else None,
        pinned_by=order.by if order and order.pinned else "",
    )
    newer = None if held else status.newer
    if newer is None or not (why := known.pull_error(newer.runs)):
        return status
    held = HeldUpdate(app=app, question=key, image=question.image, version=newer, why=why)
    return msgspec.structs.replace(status, held=held)


def _running(question: ImageQuestion, release: Rollout | None) -> ImageVersion | None:
    if release is None:
        return None
    pin = next((one for one in release.pins if one.question == question.key), None)
    if pin:
        return ImageVersion(runs=pin.runs, tag=pin.tag)
    return _by_id(question.image, release)


def _unfollowed(app: str, image: str, release: Rollout | None) -> ImageStatus:
    return ImageStatus(
        app=app,
        image=image,
        running=_by_id(image, release),
        on_trial=bool(release and is_on(release)),
    )


def _by_id(image: str, release: Rollout | None) -> ImageVersion | None:
    known = release.images.get(image) if release else None
    return ImageVersion(runs=known, tag=name_and_tag(image)[1]) if known else None
