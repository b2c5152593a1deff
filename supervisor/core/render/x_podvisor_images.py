"""Keys of `[X-Podvisor]` that are about images: ImagePolicy=, Update=, Cooldown= and so on.

A value that means nothing raises ValueError (or Refused), with what to write instead.
"""

from collections.abc import Mapping

import msgspec

from supervisor.core.files.unitfile import Entry
from supervisor.core.images.calendar import ALWAYS, parse_window
from supervisor.core.images.policy_text import complete
from supervisor.model.image import ImagePolicy, PolicyKind, UpdateMode

_MOST_KEPT = 1_000


class ImageWords(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit says of how its image is kept up to date; None is "not said"."""

    policy: ImagePolicy | None = None
    pattern: str | None = None
    """`ImageFilter=`."""
    prereleases: bool | None = None
    update: UpdateMode | None = None
    cooldown: float | None = None
    window: str | None = None
    """Empty is always."""
    keep: int | None = None
    is_unclear: bool = False
    """Whether something else was said, which cannot be read: what was meant may be more careful."""
    entries: Mapping[str, Entry] = {}
    """By the key."""

    def whole_policy(self) -> ImagePolicy | None:
        """Put it together. Raises ValueError, with a sentence, where that means nothing."""
        kind = self.policy.kind if self.policy else PolicyKind.DIGEST
        if kind is PolicyKind.DIGEST:
            for key in ("ImageFilter", "ImagePrereleases"):
                if key in self.entries:
                    which = "ImagePolicy=semver:…, regex:… or newest"
                    raise ValueError(f"{key}= has no meaning without {which}")
        if self.policy is None:
            return None
        return complete(self.policy, pattern=self.pattern or "", prereleases=bool(self.prereleases))


def read_update(text: str) -> UpdateMode:
    """Read `auto`, `download`, `notify` or `off`."""
    try:
        return UpdateMode(text.lower())
    except ValueError:
        raise ValueError(f"write one of {', '.join(UpdateMode)}") from None


def read_window(text: str) -> str:
    """Take what is a window; `always` is none. Raises Refused."""
    parse_window(text)
    return "" if text == ALWAYS else text


def read_keep(text: str) -> int:
    """Read how many versions stay."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_KEPT):
        raise ValueError(f"it must be a number from 1 to {_MOST_KEPT}")
    return int(text)
