"""Forgejo, and Gitea, of which it was made: https://forgejo.org/docs/latest/user/webhooks.

Statuses and pull requests: /api/swagger of each, such as https://codeberg.org/api/swagger.

Both also send the headers of whom they descend from, with the signature of each.
"""

import msgspec

from supervisor.core.githost.host import Form, GitHost, HostApi, PullApi, StatusApi
from supervisor.core.githost.hosts import github
from supervisor.core.githost.signatures import HexHmac


def _host(*line: str) -> GitHost:
    """Make the first of a line of descent that ends with GitHub."""
    name, title = line[0], line[0].title()
    own = [(f"x-{one}-signature", "") for one in line[:-1]]
    return GitHost(
        name=name,
        signature=HexHmac(*own, ("x-hub-signature-256", "sha256=")),
        checked_by=f"X-{title}-Signature",
        payload=msgspec.structs.replace(
            github.PAYLOAD,
            event_headers=tuple(f"x-{one}-event" for one in line),
            delivery_headers=tuple(f"x-{one}-delivery" for one in line),
        ),
        api=HostApi(
            path="/api/v1",
            token_prefix="token ",  # noqa: S106  # what stands before it
            status=StatusApi(),
            # None is found by its branch; one whose branch was just pushed comes first.
            pulls=PullApi(
                query="state=open&sort=recentupdate&base_branch={to}&limit=20",
                read=github.read_pulls,
                right="“repository: read and write” (write:repository)",
            ),
        ),
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


GITEA = _host("gitea", "github")
FORGEJO = _host("forgejo", "gitea", "github")
