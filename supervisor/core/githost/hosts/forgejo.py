"""Forgejo, and Gitea, of which it was made: https://forgejo.org/docs/latest/user/webhooks.

Both also send the headers of whom they descend from, with the signature of each.
"""

import msgspec

from supervisor.core.githost.host import Form, GitHost, Payload, StatusApi
from supervisor.core.githost.hosts import github
from supervisor.core.githost.signatures import HexHmac

_SIGNATURES = (("x-gitea-signature", ""), ("x-hub-signature-256", "sha256="))
_EVENTS = ("x-gitea-event", "x-github-event")
_DELIVERIES = ("x-gitea-delivery", "x-github-delivery")


def _host(name: str, *, signatures: tuple[tuple[str, str], ...], payload: Payload) -> GitHost:
    title = name.title()
    return GitHost(
        name=name,
        signature=HexHmac(*signatures),
        checked_by=f"X-{title}-Signature",
        payload=payload,
        status_api=StatusApi(path="/api/v1", token_prefix="token "),  # noqa: S106  # before it
        form=Form(
            where=f"Enter this at {title}, in the repository's Settings → Webhooks → Add webhook",
            fields={
                "Target URL": "{url}",
                "HTTP method": "POST",
                "POST content type": "application/json",
                "Secret": "{secret}",
                "Trigger on": "Push events",
            },
        ),
    )


GITEA = _host(
    "gitea",
    signatures=_SIGNATURES,
    payload=msgspec.structs.replace(
        github.PAYLOAD, event_headers=_EVENTS, delivery_headers=_DELIVERIES
    ),
)
FORGEJO = _host(
    "forgejo",
    signatures=(("x-forgejo-signature", ""), *_SIGNATURES),
    payload=msgspec.structs.replace(
        github.PAYLOAD,
        event_headers=("x-forgejo-event", *_EVENTS),
        delivery_headers=("x-forgejo-delivery", *_DELIVERIES),
    ),
)
