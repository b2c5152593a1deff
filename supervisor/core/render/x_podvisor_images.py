"""Keys of `[X-Podvisor]` that are about images: ImagePolicy=, Update=, Cooldown= and so on.

A value that means nothing raises ValueError (or Refused), with what to write instead. What reads
policies and windows is loaded with the first that is said: 0.2 MB.
"""

from collections.abc import Mapping

import msgspec

from supervisor.core.files.names import KEY_SUFFIXES
from supervisor.core.files.unitfile import Entry
from supervisor.kit.texts import parse_number
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
    verify: str | None = None
    """Path of a public key, as it is written."""
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
        from supervisor.core.images.policy_text import complete  # noqa: PLC0415

        return complete(self.policy, pattern=self.pattern or "", prereleases=bool(self.prereleases))


def read_policy(text: str) -> ImagePolicy:
    """Read `semver:^1.4` and the like; see `core.images.policy_text`."""
    from supervisor.core.images import policy_text  # noqa: PLC0415

    return policy_text.read_policy(text)


def read_filter(text: str) -> str:
    """Take a pattern that can be used."""
    from supervisor.core.images import policy_text  # noqa: PLC0415

    return policy_text.read_filter(text)


def read_update(text: str) -> UpdateMode:
    """Read `auto`, `download`, `notify` or `off`."""
    try:
        return UpdateMode(text.lower())
    except ValueError:
        raise ValueError(f"write one of {', '.join(UpdateMode)}") from None


def read_window(text: str) -> str:
    """Take what is a window; `always` is none. Raises Refused."""
    from supervisor.core.images.calendar import ALWAYS, parse_window  # noqa: PLC0415

    parse_window(text)
    return "" if text == ALWAYS else text


def read_verify(text: str) -> str:
    """Take what may be the path of a key beside the unit's file."""
    if text.startswith(("/", "~", "%")) or not text.endswith(KEY_SUFFIXES):
        raise ValueError(f"write the path of {' or '.join(KEY_SUFFIXES)} beside this file")
    return text


def read_keep(text: str) -> int:
    """Read how many versions stay."""
    return parse_number(text, least=1, most=_MOST_KEPT)
