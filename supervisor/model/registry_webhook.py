"""Registries' webhooks: what they say was pushed, and how they stand."""

import msgspec

PREFIX = "/hooks/images/"
"""Of the paths on which registries' webhooks are taken: NAME follows, or NAME/TOKEN."""


class PushedImage(msgspec.Struct, frozen=True, order=True):
    """What a delivery names: an image to ask the registry about, and no more than that."""

    repository: str
    """`HOST/NAME`, in whole: `docker.io/library/nginx`."""
    tag: str
    """The one that the sender names; of several that were pushed at once, GitHub names one."""

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


class ImageNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery says, whoever sent it."""

    images: tuple[PushedImage, ...] = ()
    """None twice."""
    ignored: str = ""
    """Why there are none, in words that are safe to show."""
    is_ping: bool = False


class RegistryWebhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the webhooks of one registry stand."""

    name: str
    """As the settings have it."""
    sender: str
    accepted: int = 0
    """Deliveries that named images, since the daemon started, as the other counts."""
    ignored: int = 0
    """Authentic, but of nothing that could be run."""
    refused: int = 0
    heard_at: float = 0.0
    """When an authentic one came last; kept across restarts, to the minute."""
    last: str = ""
    """What was heard last, and what came of it."""
    last_ignored: bool = False
    problem: str = ""
    """Why deliveries cannot be checked now."""
