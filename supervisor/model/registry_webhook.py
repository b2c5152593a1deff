"""Registries' webhooks: what they say was pushed, and how they stand."""

import msgspec

PREFIX = "/hooks/images/"
"""Of the paths on which registries' webhooks are taken: NAME follows, or NAME/TOKEN."""


class ImageNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery says, whoever sent it."""

    images: tuple[str, ...] = ()
    """Whole names with their tags, `docker.io/library/nginx:1.27`, or without for any tag; none
    twice."""
    signed: tuple[str, ...] = ()
    """Images of which a signature was pushed, by digest: `ghcr.io/me/web@sha256:…`; none twice."""
    ignored: str = ""
    """Why there are none, in words that are safe to show."""
    is_ping: bool = False


class RegistryWebhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the webhooks of one registry stand."""

    name: str
    """As the settings have it."""
    sender: str
    accepted: int = 0
    """Deliveries about images that units here take part with, since the daemon started, as the
    other counts."""
    ignored: int = 0
    """Authentic, but of no concern."""
    refused: int = 0
    heard_at: float = 0.0
    """When an authentic one came last; kept across restarts, to the minute."""
    last: str = ""
    """What was heard last, and what came of it."""
    last_ignored: bool = False
    problem: str = ""
    """Why deliveries cannot be checked now."""
