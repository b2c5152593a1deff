"""A push as each Git host would tell of it, for `podvisor webhook test`."""

from typing import Any

import msgspec

from supervisor.core.githost.payloads import repository_path
from supervisor.model.settings import SourceSettings
from supervisor.model.webhook import Scheme

_REVISION = "0" * 40
_JSON = {"content-type": "application/json"}


def sample(
    scheme: Scheme, settings: SourceSettings, *, delivery: str
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a push to what a source follows."""
    path = repository_path(settings.git) or "me/home"
    ref = settings.ref or "main"
    full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    branch = full.removeprefix("refs/heads/")
    headers, body = _SAMPLES[scheme](path, full, branch, delivery)
    return _JSON | headers, msgspec.json.encode(body)


def _github(path: str, ref: str, branch: str, delivery: str) -> tuple[dict[str, str], Any]:
    repository = {"full_name": path, "default_branch": branch}
    headers = {"x-github-event": "push", "x-github-delivery": delivery}
    return headers, {"ref": ref, "after": _REVISION, "repository": repository}


def _gitea(path: str, ref: str, branch: str, delivery: str) -> tuple[dict[str, str], Any]:
    _, body = _github(path, ref, branch, delivery)
    return {"x-gitea-event": "push", "x-gitea-delivery": delivery}, body


def _forgejo(path: str, ref: str, branch: str, delivery: str) -> tuple[dict[str, str], Any]:
    _, body = _github(path, ref, branch, delivery)
    return {"x-forgejo-event": "push", "x-forgejo-delivery": delivery}, body


def _gitlab(path: str, ref: str, branch: str, delivery: str) -> tuple[dict[str, str], Any]:
    project = {"path_with_namespace": path, "default_branch": branch}
    body = {"object_kind": "push", "ref": ref, "after": _REVISION, "project": project}
    return {"x-gitlab-event": "Push Hook", "x-gitlab-event-uuid": delivery}, body


def _bitbucket(path: str, _ref: str, branch: str, delivery: str) -> tuple[dict[str, str], Any]:
    new = {"type": "branch", "name": branch, "target": {"hash": _REVISION}}
    body = {"push": {"changes": [{"new": new}]}, "repository": {"full_name": path}}
    return {"x-event-key": "repo:push", "x-request-uuid": delivery}, body


def _generic(path: str, ref: str, _branch: str, delivery: str) -> tuple[dict[str, str], Any]:
    body = {"ref": ref, "after": _REVISION, "repository": path}
    return {"x-event": "push", "x-delivery": delivery}, body


_SAMPLES = {
    Scheme.GITHUB: _github,
    Scheme.GITEA: _gitea,
    Scheme.FORGEJO: _forgejo,
    Scheme.GITLAB: _gitlab,
    Scheme.BITBUCKET: _bitbucket,
    Scheme.GENERIC: _generic,
}
