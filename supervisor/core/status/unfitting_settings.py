"""What the settings say of apps and images that are not there, as one that is misspelt.

Of what leaves apps out, `core.desired.unfitting` speaks.
"""

from collections.abc import Collection, Iterator

from supervisor.core.images.reference import name_and_tag
from supervisor.core.images.rules import glob_fits
from supervisor.kit.texts import nearest
from supervisor.model.errors import Finding
from supervisor.model.settings import Settings


def unfitting(
    settings: Settings, *, apps: Collection[str], images: Collection[str]
) -> Iterator[Finding]:
    """Warn of each app, and each glob of images, in the settings that fits none of these.

    `images` are those that are kept up to date, with their tags.
    """
    by_app: dict[str, Collection[str]] = {
        "images.by_app": settings.images.by_app,
        "health.idle_interval_by_app": settings.health.idle_interval_by_app,
    }
    for setting, names in by_app.items():
        for name in names:
            if name not in apps:
                yield _finding(setting, name, "fits no app", nearest(name, apps))
    repositories = {name_and_tag(image)[0] for image in images}
    for glob in settings.images.by_image:
        if not any(glob_fits(glob, image) for image in images):
            what = "fits no image that is kept up to date"
            yield _finding("images.by_image", glob, what, nearest(glob, repositories))


def _finding(setting: str, word: str, what: str, meant: str) -> Finding:
    hint = f"did you mean “{meant}”?" if meant else "take it out, or write what is there"
    return Finding(message=f"“{word}” in `{setting}` {what}", hint=hint, fatal=False)
