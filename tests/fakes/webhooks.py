"""Webhooks as Git hosts send them: small ones, after the formats that their documentation shows.

They are signed here by other code than podvisor's own, so that the two can disagree.
"""

import base64
import hashlib
import hmac
import json

SECRET = b"It's a Secret to Everybody"
SIGNING_TOKEN = b"whsec_" + base64.b64encode(bytes(range(32)))
AFTER = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
BEFORE = "9049f1265b7d61be4a8904a9a27120d2064dab3b"
NOW = 1_700_000_000.0

_COMMIT: dict[str, object] = {
    "id": AFTER,
    "message": "Let the blog say more\n\nAnd less elsewhere.",
    "timestamp": "2026-02-03T10:11:12+01:00",
    "author": {"name": "Me", "email": "me@example.org", "username": "me"},
    "added": [],
    "removed": ["apps/old/old.container"],
    "modified": ["apps/blog/web.container"],
}
GITHUB_PUSH: dict[str, object] = {
    "ref": "refs/heads/main",
    "before": BEFORE,
    "after": AFTER,
    "repository": {
        "id": 186853002,
        "name": "home",
        "full_name": "me/home",
        "private": True,
        "owner": {"login": "me", "id": 1, "type": "User"},
        "html_url": "https://github.com/me/home",
        "git_url": "git://github.com/me/home.git",
        "ssh_url": "git@github.com:me/home.git",
        "clone_url": "https://github.com/me/home.git",
        "default_branch": "main",
        "master_branch": "main",
    },
    "pusher": {"name": "me", "email": "me@example.org"},
    "sender": {"login": "me", "id": 1},
    "created": False,
    "deleted": False,
    "forced": False,
    "base_ref": None,
    "compare": "https://github.com/me/home/compare/9049f1265b7d...6113728f27ae",
    "commits": [_COMMIT],
    "head_commit": _COMMIT,
}
GITHUB_PING = {
    "zen": "Keep it logically awesome.",
    "hook_id": 30,
    "hook": {"type": "Repository", "id": 30, "events": ["push"], "active": True},
    "repository": GITHUB_PUSH["repository"],
}
GITEA_PUSH = {
    "ref": "refs/heads/main",
    "before": BEFORE,
    "after": AFTER,
    "compare_url": "http://git.example.org/me/home/compare/9049f...6113",
    "commits": [_COMMIT],
    "total_commits": 1,
    "head_commit": _COMMIT,
    "repository": {
        "id": 140,
        "owner": {"id": 1, "login": "me", "username": "me"},
        "name": "home",
        "full_name": "me/home",
        "private": False,
        "fork": False,
        "html_url": "http://git.example.org/me/home",
        "ssh_url": "ssh://git@git.example.org:2222/me/home.git",
        "clone_url": "http://git.example.org/me/home.git",
        "default_branch": "main",
    },
    "pusher": {"id": 1, "login": "me"},
    "sender": {"id": 1, "login": "me"},
}
GITLAB_PUSH: dict[str, object] = {
    "object_kind": "push",
    "event_name": "push",
    "before": BEFORE,
    "after": AFTER,
    "ref": "refs/heads/main",
    "ref_protected": True,
    "checkout_sha": AFTER,
    "user_id": 4,
    "user_name": "Me",
    "project_id": 15,
    "project": {
        "id": 15,
        "name": "Home",
        "description": "",
        "web_url": "https://gitlab.example.org/me/home",
        "avatar_url": None,
        "git_ssh_url": "git@gitlab.example.org:me/home.git",
        "git_http_url": "https://gitlab.example.org/me/home.git",
        "namespace": "Me",
        "visibility_level": 0,
        "path_with_namespace": "me/home",
        "default_branch": "main",
        "url": "git@gitlab.example.org:me/home.git",
    },
    "commits": [_COMMIT],
    "total_commits_count": 1,
    "repository": {
        "name": "Home",
        "url": "git@gitlab.example.org:me/home.git",
        "git_http_url": "https://gitlab.example.org/me/home.git",
    },
}
GITLAB_TAG = {**GITLAB_PUSH, "object_kind": "tag_push", "ref": "refs/tags/v1", "commits": []}
BITBUCKET_PUSH = {
    "actor": {"type": "user", "nickname": "me", "uuid": "{a54f16da}"},
    "repository": {
        "type": "repository",
        "links": {"html": {"href": "https://bitbucket.org/me/home"}},
        "uuid": "{673a6070}",
        "full_name": "me/home",
        "name": "home",
        "scm": "git",
        "project": {"type": "project", "key": "HOME", "name": "Home"},
        "is_private": True,
    },
    "push": {
        "changes": [
            {
                "new": {
                    "type": "branch",
                    "name": "main",
                    "target": {"type": "commit", "hash": AFTER, "message": "x\n"},
                },
                "old": {
                    "type": "branch",
                    "name": "main",
                    "target": {"type": "commit", "hash": BEFORE},
                },
                "created": False,
                "forced": False,
                "closed": False,
                "commits": [{"hash": AFTER}],
                "truncated": False,
            }
        ]
    },
}
BITBUCKET_SERVER_PUSH = {
    "eventKey": "repo:refs_changed",
    "date": "2026-02-03T10:11:12+1000",
    "actor": {"name": "me", "id": 1},
    "repository": {
        "slug": "home",
        "id": 84,
        "name": "home",
        "scmId": "git",
        "project": {"key": "ME", "id": 84, "public": False},
    },
    "changes": [
        {
            "ref": {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"},
            "refId": "refs/heads/main",
            "fromHash": BEFORE,
            "toHash": AFTER,
            "type": "UPDATE",
        }
    ],
}
GENERIC_PUSH = {"ref": "main", "after": AFTER}


def as_json(payload: object) -> bytes:
    return json.dumps(payload).encode()


def mac(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def headers(
    scheme: str,
    body: bytes,
    *,
    secret: bytes | None = None,
    event: str = "",
    time: float = NOW,
    delivery: str = "d-1",
) -> dict[str, str]:
    """The headers of a delivery, signed as this Git host does."""
    secret = secret or (SIGNING_TOKEN if scheme == "gitlab-signed" else SECRET)
    kind = {"content-type": "application/json", "user-agent": "a Git host"}
    match scheme:
        case "github":
            names = {"x-github-event": event or "push", "x-github-delivery": delivery}
            return kind | names | {"x-hub-signature-256": f"sha256={mac(body, secret)}"}
        case "gitea":
            names = {"x-gitea-event": event or "push", "x-gitea-delivery": delivery}
            names |= {"x-github-event": event or "push", "x-gogs-event": event or "push"}
            names |= {"x-hub-signature-256": f"sha256={mac(body, secret)}"}
            return kind | names | {"x-gitea-signature": mac(body, secret)}
        case "forgejo":
            more = headers("gitea", body, secret=secret, event=event, delivery=delivery)
            names = {"x-forgejo-event": event or "push", "x-forgejo-delivery": delivery}
            return more | names | {"x-forgejo-signature": mac(body, secret)}
        case "gitlab":
            names = {"x-gitlab-event": event or "Push Hook", "x-gitlab-event-uuid": delivery}
            return kind | names | {"x-gitlab-token": secret.decode()}
        case "gitlab-signed":
            key = base64.b64decode(secret.removeprefix(b"whsec_"))
            text = f"{delivery}.{int(time)}.".encode() + body
            good = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
            names = {"x-gitlab-event": event or "Push Hook", "webhook-id": delivery}
            stamp = {"webhook-timestamp": str(int(time)), "webhook-signature": f"v1,{good}"}
            return kind | names | stamp
        case "bitbucket":
            names = {"x-event-key": event or "repo:push", "x-request-uuid": delivery}
            return kind | names | {"x-hub-signature": f"sha256={mac(body, secret)}"}
        case "generic":
            names = {"x-event": event} if event else {}
            return kind | names | {"x-signature": f"sha256={mac(body, secret)}"}
    raise AssertionError(scheme)


PUSHES = {
    "github": GITHUB_PUSH,
    "gitea": GITEA_PUSH,
    "forgejo": GITEA_PUSH,
    "gitlab": GITLAB_PUSH,
    "gitlab-signed": GITLAB_PUSH,
    "bitbucket": BITBUCKET_PUSH,
    "generic": GENERIC_PUSH,
}
"""Every scheme, and a push as it tells of it."""
