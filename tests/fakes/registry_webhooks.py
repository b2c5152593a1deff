"""Registries' webhooks, cut down from what their documentation and their code show.

They are signed here by other code than podvisor's own, so that the two can disagree.
"""

import base64
import copy
import json
from typing import Any

from tests.fakes.webhooks import SECRET, mac

DIGEST = "sha256:" + "fea8895f450959fa676bcc1df0611ea93823a735a01205fd8622846041d0c7cf"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CHART = "application/vnd.cncf.helm.config.v1+json"


def distribution_event(
    action: str = "push", media_type: str = DOCKER_MANIFEST, *, tag: str | None = "1.4", **more: Any
) -> dict[str, Any]:
    target = {
        "mediaType": media_type,
        "digest": DIGEST,
        "size": 708,
        "length": 708,
        "repository": "me/web",
        "url": f"http://registry.example.org:5000/v2/me/web/manifests/{DIGEST}",
    }
    return {
        "id": "320678d8-ca14-430f-8bb6-4ca139cd83f7",
        "timestamp": "2026-03-09T14:44:26.402973972-08:00",
        "action": action,
        "target": target | ({"tag": tag} if tag else {}) | more,
        "request": {
            "id": "6df24a34-0959-4923-81ca-14f09767db19",
            "addr": "192.168.64.11:42961",
            "host": "registry.example.org:5000",
            "method": "PUT",
            "useragent": "containers/5.34.0 (github.com/containers/image)",
        },
        "actor": {},
        "source": {"addr": "xtal.local:5000", "instanceID": "a53db899-3b4b-4a62-a067-8dd013beaca4"},
    }


DISTRIBUTION: dict[str, Any] = {"events": [distribution_event()]}
DISTRIBUTION_MULTI_ARCH = {
    "events": [
        distribution_event(media_type="application/octet-stream", tag=None),
        distribution_event("mount", media_type="application/octet-stream", tag=None),
        distribution_event(media_type=OCI_MANIFEST, tag=None),
        distribution_event(media_type=OCI_MANIFEST, tag=None),
        distribution_event(media_type=OCI_INDEX),
        distribution_event("pull", media_type=OCI_INDEX, tag="1.4"),
    ]
}
"""What one push of two platforms sends, here in one envelope, and podvisor's question after it."""
_GHCR_PACKAGE: dict[str, Any] = {
    "id": 10696,
    "name": "web",
    "namespace": "Me",
    "description": None,
    "ecosystem": "CONTAINER",
    "package_type": "CONTAINER",
    "html_url": "https://github.com/users/Me/packages/container/package/web",
    "owner": {"login": "Me", "id": 21031067, "type": "User"},
    "package_version": {
        "id": 57755790,
        "version": DIGEST,
        "name": DIGEST,
        "manifest": "",
        "container_metadata": {
            "tag": {"name": "1.4", "digest": DIGEST},
            "labels": {"description": "", "source": "https://github.com/Me/web"},
            "manifest": {
                "digest": DIGEST,
                "media_type": DOCKER_MANIFEST,
                "uri": f"repositories/Me/web/manifests/{DIGEST}",
                "size": 1782,
                "config": {
                    "digest": DIGEST,
                    "media_type": "application/vnd.docker.container.image.v1+json",
                    "size": 7205,
                },
                "layers": [],
            },
        },
        "package_files": [],
        "installation_command": "docker pull ghcr.io/Me/web:1.4",
        "package_url": "ghcr.io/Me/web:1.4",
    },
    "registry": {"name": "GitHub CONTAINER registry", "type": "CONTAINER", "vendor": "GitHub Inc"},
}
GHCR: dict[str, Any] = {"action": "published", "package": _GHCR_PACKAGE, "sender": {"login": "Me"}}
GHCR_APP = {"action": "updated", "registry_package": _GHCR_PACKAGE, "sender": {"login": "Me"}}
DOCKER_HUB: dict[str, Any] = {
    "callback_url": "https://registry.hub.docker.com/u/me/web/hook/2141b5bi5i5b02bec211i4eeih0242/",
    "push_data": {"pushed_at": 1417566161, "pusher": "me", "tag": "1.4", "images": []},
    "repository": {
        "comment_count": 0,
        "date_created": 1417494799,
        "description": "",
        "is_official": False,
        "is_private": True,
        "name": "web",
        "namespace": "me",
        "owner": "me",
        "repo_name": "me/web",
        "repo_url": "https://registry.hub.docker.com/u/me/web/",
        "star_count": 0,
        "status": "Active",
    },
}
_HARBOR_DATA: dict[str, Any] = {
    "resources": [
        {"digest": DIGEST, "tag": "1.4", "resource_url": "harbor.example.org/me/web:1.4"}
    ],
    "repository": {
        "date_created": 1586922308,
        "name": "web",
        "namespace": "me",
        "repo_full_name": "me/web",
        "repo_type": "private",
    },
}
HARBOR: dict[str, Any] = {
    "type": "PUSH_ARTIFACT",
    "occur_at": 1586922308,
    "operator": "admin",
    "event_data": _HARBOR_DATA,
}
HARBOR_CLOUD = {
    "specversion": "1.0",
    "id": "66d3eeb3-e2b1-4a4e-9b6a-8d5b4b3d8d6f",
    "requestid": "1ea4f9a5-8a6d-4a53-a0c6-f9d8d1a8a6b3",
    "source": "/projects/1/webhook/policies/1",
    "type": "harbor.artifact.pushed",
    "datacontenttype": "application/json",
    "time": "2026-03-09T14:44:26Z",
    "operator": "admin",
    "data": _HARBOR_DATA,
}
QUAY: dict[str, Any] = {
    "name": "web",
    "repository": "me/web",
    "namespace": "me",
    "docker_url": "quay.io/me/web",
    "homepage": "https://quay.io/repository/me/web",
    "updated_tags": ["1.4"],
}
GITEA: dict[str, Any] = {
    "action": "created",
    "repository": None,
    "package": {
        "id": 7,
        "owner": {"id": 1, "login": "Me", "username": "Me"},
        "repository": None,
        "creator": {"id": 1, "login": "Me", "username": "Me"},
        "type": "container",
        "name": "web",
        "version": "1.4",
        "html_url": "https://git.example.org/Me/-/packages/container/web/1.4",
        "created_at": "2026-02-03T10:11:12Z",
    },
    "organization": None,
    "sender": {"id": 1, "login": "Me", "username": "Me"},
}
ZOT: dict[str, Any] = {
    "name": "me/web",
    "reference": "1.4",
    "digest": DIGEST,
    "mediaType": OCI_MANIFEST,
    "manifest": json.dumps({"schemaVersion": 2, "config": {"mediaType": OCI_MANIFEST}}).replace(
        OCI_MANIFEST, "application/vnd.oci.image.config.v1+json"
    ),
    "actor": {"name": "me"},
    "request": {"addr": "192.168.0.1:54321", "method": "PUT", "useragent": "skopeo/1.18"},
}
GENERIC: dict[str, Any] = {"image": "registry.gitlab.com/me/web:1.4"}

PUSHES: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    "Distribution": ("distribution", DISTRIBUTION, {}, "registry.example.org:5000/me/web:1.4"),
    "Distribution, two platforms": (
        "distribution",
        DISTRIBUTION_MULTI_ARCH,
        {"content-type": "application/vnd.docker.distribution.events.v1+json"},
        "registry.example.org:5000/me/web:1.4",
    ),
    "GHCR": ("ghcr", GHCR, {"x-github-event": "package"}, "ghcr.io/me/web"),
    "GHCR, to an App": (
        "ghcr",
        GHCR_APP,
        {"x-github-event": "registry_package"},
        "ghcr.io/me/web",
    ),
    "Docker Hub": ("docker-hub", DOCKER_HUB, {}, "docker.io/me/web:1.4"),
    "Harbor": ("harbor", HARBOR, {}, "harbor.example.org/me/web:1.4"),
    "Harbor, CloudEvents": (
        "harbor",
        HARBOR_CLOUD,
        {"content-type": "application/cloudevents+json"},
        "harbor.example.org/me/web:1.4",
    ),
    "Quay": ("quay", QUAY, {}, "quay.io/me/web:1.4"),
    "Forgejo": (
        "forgejo",
        GITEA,
        {"x-forgejo-event": "package", "x-gitea-event": "package", "x-github-event": "package"},
        "git.example.org/me/web:1.4",
    ),
    "Gitea": ("gitea", GITEA, {"x-gitea-event": "package"}, "git.example.org/me/web:1.4"),
    "zot": (
        "zot",
        ZOT,
        {"ce-specversion": "1.0", "ce-type": "zotregistry.image.updated"},
        "zot.example.org/me/web:1.4",
    ),
    "generic": ("generic", GENERIC, {}, "registry.gitlab.com/me/web:1.4"),
}
"""Name → sender, payload, headers without the proof, and the image that it names."""
REGISTRY = {"zot": "zot.example.org"}
"""Senders that do not say which registry they are of, and what the settings say."""


def proof(sender: str, body: bytes, *, secret: bytes = SECRET) -> dict[str, str]:
    """Return the headers by which a sender proves itself."""
    match sender:
        case "ghcr":
            return {"x-hub-signature-256": f"sha256={mac(body, secret)}"}
        case "gitea" | "forgejo":
            names = {"x-hub-signature-256": f"sha256={mac(body, secret)}"}
            return names | {f"x-{sender}-signature": mac(body, secret)}
        case "generic":
            return {"x-signature": f"sha256={mac(body, secret)}"}
        case "distribution":
            return {"authorization": f"Bearer {secret.decode()}"}
        case "harbor":
            return {"authorization": secret.decode()}
        case "zot":
            pair = base64.b64encode(b"podvisor:" + secret).decode()
            return {"authorization": f"Basic {pair}"}
    return {}


def changed(payload: dict[str, Any], *path: str | int, to: object) -> dict[str, Any]:
    """Return a payload with another value somewhere in it."""
    other = copy.deepcopy(payload)
    place: Any = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return other
