"""How an app's images are kept up to date: from AutoUpdate= and `[X-Podvisor]` to rules.

Who takes part is as for `podman auto-update`: AutoUpdate=, or the label that it stands for.
ImagePolicy= takes part, too. What an image's own labels say counts for nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.unitfile import Entry, Refused, UnitFile, expand, merge, split_words
from supervisor.core.images.reference import OTHER_TRANSPORTS, Reference, parse_reference
from supervisor.core.images.rules import most_careful
from supervisor.core.images.words import policy_words
from supervisor.core.render.reading import Reading
from supervisor.core.render.x_podvisor_images import ImageWords
from supervisor.kit.texts import meant
from supervisor.model.image import (
    PIN_DROP_IN,
    ImagePolicy,
    ImageQuestion,
    ImageRule,
    PolicyKind,
)
from supervisor.model.quadlet import GENERATED

LABEL = "io.containers.autoupdate"
AUTHFILE_LABEL = "io.containers.autoupdate.authfile"
_OFF, _LOCAL, _REGISTRY = "disabled", "local", "registry"
_VALUES = {"registry": _REGISTRY, "image": _REGISTRY, "local": _LOCAL, "disabled": _OFF, "": _OFF}
"""What the label may say, as Podman reads it (pkg/autoupdate)."""
_IN_YAML = re.compile(
    rf"{re.escape(LABEL)}(?:/[\w.-]+)?[\"']?\s*:\s*[\"']?(?:registry|image|local)"
)
VERIFY = "VerifyImage"
"""The one key about images that those may have, too, of which there are no newer versions."""
_SAYS_SO = "AutoUpdate= or ImagePolicy="


class ImageAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit with an image says of it."""

    unit: str
    path: str
    section: str
    """Of its file: `Container` or `Image`."""
    image: str
    """As its files say it, specifiers that are known replaced."""
    auto_update: str = ""
    """Value of AutoUpdate= or of the label."""
    authfile: str = ""
    never_pulled: bool = False
    words: ImageWords = ImageWords()

    @property
    def asks(self) -> bool:
        """Whether it takes part."""
        return self.words.policy is not None or _VALUES.get(self.auto_update, _OFF) != _OFF


def read_image_ask(
    name: str,
    unit: UnitFile,
    section: str,
    path: str,
    files: AppFiles,
    *,
    known: Mapping[str, str],
    words: ImageWords,
) -> ImageAsk:
    """Gather what a `.container` or `.image` says; `section` is that of the generated unit."""
    labels = dict(_labels(unit, section, known)) if section == "X-Container" else {}
    return ImageAsk(
        unit=name,
        path=path,
        section=GENERATED[section].section,
        image=expand(_unpinned(unit, section, path, files), known),
        auto_update=labels.get(LABEL, ""),
        authfile=(
            labels.get(AUTHFILE_LABEL)
            or expand(unit.last(section, "AuthFile"), known)
            or next(_arguments(unit, section, known, "--authfile"), "")
        ),
        never_pulled=unit.last(section, "Pull").lower() == "never",
        words=words,
    )


def report_played(unit: UnitFile, path: str, reading: Reading, yaml_paths: Iterable[str]) -> None:
    """Say of a `.kube` that asks Podman for updates that podvisor makes none."""
    message = "podvisor does not keep images up to date that a YAML file names"
    hint = "write the pod as .container files, or name its versions in Git"
    for value in unit.values("X-Kube", "AutoUpdate"):
        if _VALUES.get(value.rpartition("/")[2], "") != _OFF:
            at = reading.files.origin(path, Entry("X-Kube", "AutoUpdate", value))
            reading.report(message, at=at, hint=hint, fatal=False)
    for yaml_path in yaml_paths:
        text = reading.files.text(yaml_path) or ""
        if found := _IN_YAML.search(text):
            line = text.count("\n", 0, found.start()) + 1
            reading.report(message, path=yaml_path, line=line, hint=hint, fatal=False)


def give_image_rules(reading: Reading, asks: Sequence[ImageAsk]) -> None:
    """Give each unit whose image is to be kept up to date its rule; say what cannot be.

    The rule of an image that a `.image` file names is that unit's, whoever asks for it. An app
    that is refused gets none: what could not be read of it may have changed what is said here.
    """
    if not reading.refused:
        for ask in asks:
            _report_senseless(ask, reading)
    if reading.refused:
        return
    by_path = {ask.path: ask for ask in asks}
    asking = asking_of(asks, reading)
    rules: dict[str, ImageRule] = {}
    authfiles: dict[str, str] = {}
    for ask in asks:
        some = asking.get(ask.unit, ())
        authfiles[ask.unit] = authfile = _authfile(some, reading)
        if any(one.asks for one in some):
            if rule := _rule(ask, some, authfile, reading):
                rules[ask.unit] = rule
        else:
            _report_idle(some, reading)
    _report_torn(rules.values(), by_path, reading)
    reading.units[:] = [
        msgspec.structs.replace(
            unit, image_rule=rules.get(unit.name), authfile=authfiles.get(unit.name, "")
        )
        for unit in reading.units
    ]


def asking_of(asks: Sequence[ImageAsk], reading: Reading) -> dict[str, list[ImageAsk]]:
    """Return who asks for the image of each unit that names one itself, by that unit's name.

    A `.image`'s own words come before those of who uses it.
    """
    by_path = {ask.path: ask for ask in asks}
    quadlets = reading.files.app.quadlets
    asking: dict[str, list[ImageAsk]] = {}
    for ask in asks:
        target = by_path.get(quadlets.get(ask.image, "")) if ask.image.endswith(".image") else ask
        if target:
            asking.setdefault(target.unit, []).append(ask)
    return {
        unit: sorted(some, key=lambda one: (one.unit != unit, one.unit))
        for unit, some in asking.items()
    }


def _labels(unit: UnitFile, section: str, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the labels that a container gets, later ones over those before."""
    yield from map(_pair, _arguments(unit, section, known, "--label", "-l"))
    for value in unit.values(section, "Label"):
        yield from (_pair(expand(word, known)) for word in split_words(value))
    if value := unit.last(section, "AutoUpdate"):
        yield LABEL, value


def _arguments(
    unit: UnitFile, section: str, known: Mapping[str, str], *flags: str
) -> Iterator[str]:
    """Yield what PodmanArgs= has behind a flag that is written in one of these ways."""
    words = [word for value in unit.values(section, "PodmanArgs") for word in split_words(value)]
    for word, after in pairwise((*words, "")):
        flag, equals, value = word.partition("=")
        if flag in flags:
            yield expand(value if equals else after, known)


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _unpinned(unit: UnitFile, section: str, path: str, files: AppFiles) -> str:
    """Return what the app's own files name, whatever podvisor's drop-in says."""
    pins = [one for one in files.drop_ins(path) if one.endswith(f"/{PIN_DROP_IN}")]
    if not pins:
        return unit.last(section, "Image")
    own = [path, *(one for one in files.drop_ins(path) if one not in pins)]
    return merge(map(files.unit_file, own)).last(GENERATED[section].section, "Image")


def _report_senseless(ask: ImageAsk, reading: Reading) -> None:
    """Refuse words that mean nothing together, or to Podman."""
    if ask.auto_update not in _VALUES:
        message = f"AutoUpdate={ask.auto_update} has no meaning"
        hint = meant(ask.auto_update, [one for one in _VALUES if one])
        report(reading, ask, message, hint, fatal=True)
    try:
        ask.words.whole_policy()
    except ValueError as error:
        keys = ("ImageFilter", "ImagePrereleases", "ImagePolicy")
        key = next(key for key in keys if key in ask.words.entries)
        report(reading, ask, str(error), key=key, fatal=True)


def _authfile(some: Iterable[ImageAsk], reading: Reading) -> str:
    """Return the credentials that these name for their image; says so of such that cannot be."""
    asker = next((one for one in some if one.authfile), None)
    if asker is None or asker.authfile.startswith("/"):
        return asker.authfile if asker else ""
    message = f"{asker.authfile} is no absolute path of credentials"
    report(reading, asker, message, "write it from the root, or with %h")
    return ""


def _rule(
    target: ImageAsk, some: Sequence[ImageAsk], authfile: str, reading: Reading
) -> ImageRule | None:
    """Make the rule of an image that these ask for."""
    asker = next(one for one in some if one.asks)
    policies = {policy: one for one in some if (policy := one.words.whole_policy())}
    is_local = any(_VALUES[one.auto_update] == _LOCAL for one in some)
    if len(policies) > 1:
        one, other = list(policies)[:2]
        message = (
            f"{target.path} is to be {policy_words(one)}, and by {policies[other].path}"
            f" {policy_words(other)}"
        )
        hint = "say ImagePolicy= once, in the .image file"
        report(reading, policies[one], message, hint, key="ImagePolicy", fatal=True)
        return None
    policy = next(iter(policies), ImagePolicy())
    if is_local and policy.kind is not PolicyKind.DIGEST:
        message = f"ImagePolicy={policy_words(policy)} has no meaning beside AutoUpdate=local"
        hint = "what is here by the image's name counts; write AutoUpdate=registry"
        report(reading, policies[policy], message, hint, key="ImagePolicy")
        policy = ImagePolicy()
    is_podmans = any(_VALUES[one.auto_update] == _REGISTRY for one in some)
    reference = _followed(target, asker, reading, is_local=is_local, is_podmans=is_podmans)
    if reference is None:
        return None
    if policies and policy.kind is not PolicyKind.DIGEST:
        from supervisor.core.images.policy_text import variant_left  # noqa: PLC0415

        if left := variant_left(reference.tag, policy):
            report(reading, policies[policy], *left, key="ImagePolicy")
    updates = [mode for one in some if (mode := one.words.update) is not None]
    return ImageRule(
        question=ImageQuestion(
            image=reference.tagged,
            policy=policy,
            is_local=is_local,
            authfile="" if is_local else authfile,
        ),
        path=target.path,
        line=_line_of_image(target, reading),
        update=most_careful(updates) if updates else None,
        cooldown=max(
            (o.words.cooldown for o in some if o.words.cooldown is not None), default=None
        ),
        window=next((one.words.window for one in some if one.words.window is not None), None),
        keep=max((one.words.keep for one in some if one.words.keep is not None), default=None),
    )


def _followed(
    target: ImageAsk, asker: ImageAsk, reading: Reading, *, is_local: bool, is_podmans: bool
) -> Reference | None:
    """Return the image, if there can be newer versions of it; says why not, where that is news.

    With `is_podmans` a container says AutoUpdate=registry, which Podman starts by no short name.
    """
    image, why, hint = target.image, "", ""
    if not image:
        why = "there is no Image="
    elif image.endswith(".build"):
        why, hint = f"{image} makes it", "it is built anew when its files change"
    elif set("%$") & set(image):
        why, hint = f"what {image} is, shows when it starts", "write the image's whole name"
    elif OTHER_TRANSPORTS.match(image):
        why, hint = f"{image} is no image of a registry", "name one, or load it and write its name"
    elif target.never_pulled and not is_local:
        why, hint = "Pull=never says that nothing is pulled", "take it out, or AutoUpdate=local"
    else:
        try:
            reference = parse_reference(image)
        except Refused as refused:
            why, hint = str(refused), refused.hint
        else:
            if reference.digest:  # A person chose that one.
                if reference.tag:
                    _report_tag_and_digest(image, asker, reading, is_local=is_local)
                return None
            if reference.host:
                return reference
            host = "localhost" if is_local else "docker.io"
            middle = "library/" if not is_local and "/" not in reference.path else ""
            why = f"{image} may be of any registry"
            hint = f"write the whole name, such as {host}/{middle}{reference.tagged}"
            if is_podmans:
                why += ", and with AutoUpdate=registry Podman does not start it by a short name"
                built = f"localhost/{reference.tagged}"
                hint += f"; AutoUpdate=local and {built} if it is made on this host"
    report(reading, asker, f"cannot keep the image up to date: {why}", hint)
    return None


def _report_tag_and_digest(
    image: str, asker: ImageAsk, reading: Reading, *, is_local: bool
) -> None:
    """Say of a name with both that nothing is updated; Podman itself takes none with both."""
    if _VALUES[asker.auto_update] == _OFF:
        return
    fails = "" if is_local else ", and podman auto-update fails at it"
    message = f"AutoUpdate= has no meaning: {image} names one version by its digest{fails}"
    hint = "leave it out; or the digest, to have the image kept up to date"
    report(reading, asker, message, hint, key="AutoUpdate")


def _line_of_image(ask: ImageAsk, reading: Reading) -> int:
    lines = (
        entry.line
        for entry in reversed(reading.files.unit_file(ask.path).entries)
        if (entry.section, entry.key) == (ask.section, "Image")
    )
    return next(lines, 0)


def _report_torn(
    rules: Iterable[ImageRule], by_path: Mapping[str, ImageAsk], reading: Reading
) -> None:
    """Refuse rules that want different versions of one image."""
    firsts: dict[str, ImageRule] = {}
    for rule in rules:
        image = rule.question.image
        first = firsts.setdefault(image, rule)
        if _version_asked(rule) != _version_asked(first):
            message = f"{image} is to be {_which(rule)} here, and {_which(first)} in {first.path}"
            hint = "the containers of one image move together: say the same of both"
            report(reading, by_path[rule.path], message, hint, fatal=True)


def _version_asked(rule: ImageRule) -> tuple[bool, ImagePolicy]:
    return rule.question.is_local, rule.question.policy


def _which(rule: ImageRule) -> str:
    return _LOCAL if rule.question.is_local else policy_words(rule.question.policy)


def _report_idle(some: Iterable[ImageAsk], reading: Reading) -> None:
    """Say of keys that change nothing, as nobody asks for newer versions."""
    for ask in some:
        for key in ask.words.entries:
            if key != VERIFY:
                report(reading, ask, f"{key}= has no meaning without {_SAYS_SO}", key=key)


def report(
    reading: Reading,
    ask: ImageAsk,
    message: str,
    hint: str = "",
    *,
    key: str = "",
    fatal: bool = False,
) -> None:
    """Say it where it is said: at a key of `[X-Podvisor]`, or else at what asks for updates."""
    files = reading.files
    if entry := ask.words.entries.get(key or "ImagePolicy"):
        at: Entry | None = files.origin(ask.path, entry)
    else:
        at = files.find_entry(
            ask.path,
            lambda one: (
                one.section == "Container"
                and (
                    one.key == "AutoUpdate"
                    or (one.key in ("Label", "PodmanArgs") and LABEL in one.value)
                )
            ),
        )
    reading.report(message, at=at, path=ask.path, hint=hint, fatal=fatal)
