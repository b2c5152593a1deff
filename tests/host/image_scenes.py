"""What the scenarios of images share: a registry that tells, versions to push, one web server."""

import contextlib
import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from supervisor.cli.daemon.client import NotRunning, Refused, ask
from tests.host.conftest import Instead, Registry, User
from tests.host.registries import OwnRegistry, Request
from tests.host.scenes import WANTED, configure, events, page, ready

LAST_WORDS = "no database here"
PATIENT_SETTLE = "3s"
"""A `settle` as long as it takes a busy machine to find out that a container has ended."""
SERVE = "exec /bin/httpd -f -p 8080 -h /srv"
THREE = ["/bin/sh", "-c", f"echo three >/srv/index.html; {SERVE}"]
VERSIONS: Mapping[str, dict[str, Any]] = {
    "three": {"Cmd": THREE},
    "dead": {"Cmd": ["/bin/sh", "-c", f"echo {LAST_WORDS}; exit 7"]},
    "lacking": {"Entrypoint": ["/bin/lacking"]},
}
"""Beside those of the host: what their configurations say."""


@functools.cache
def made(registry: Registry) -> Mapping[str, str]:
    """Make them in the host's registry, once; gives what to push, by name."""
    names = {"one": "podvisor-test:1", "two": "podvisor-test:2", "sick": "podvisor-test:sick"}
    for name, config in VERSIONS.items():
        names[name] = f"versions:{name}"
        registry.push_variant("podvisor-test:1", names[name], **config)
    return names


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images of one user's apps."""

    user: User
    own: OwnRegistry
    versions: Mapping[str, str]
    web: int
    """Port that the web server publishes."""

    @classmethod
    def of(cls, user: User, registry: Registry) -> "Images":
        """Start a registry of this user's, which tells podvisor of each push."""
        own = OwnRegistry(user=user, shared=registry, port=user.port).tell()
        return cls(user=user, own=own, versions=made(registry), web=user.port + 2)

    def settings(
        self,
        *lines: str,
        source: str = 'folder = "~/apps"',
        settle: str = "1s",
        more: str = "",
    ) -> None:
        """Write settings with the listener for this registry; the lines stand in `[images]`."""
        text = "\n".join(["[images]", *lines, f'[rollout]\nsettle = "{settle}"', more, ""])
        configure(self.user, source, more=self.own.heard + text)

    def deploy(
        self,
        *lines: str,
        unit: Sequence[str] = (),
        name: str = "web:latest",
        settle: str = "1s",
    ) -> str:
        """Have the first version run, from a folder; gives its digest.

        `lines` stand in `[images]`, those of `unit` in the web server's file.
        """
        digest = self.push("one")
        self.user.write("apps/web/web.container", self.unit(*unit, name=name))
        self.settings(*lines, settle=settle)
        self.user.start_daemon()
        ready(self.user, "web")
        self.answered("podvisor-test 1")
        return digest

    def push(self, version: str, *names: str) -> str:
        """Push one of the versions as `web:latest`, or by other names; gives its digest."""
        return self.own.push(self.versions[version], *(names or ("web:latest",)))

    def push_lacking(self, number: int) -> str:
        """Push another one that lacks the command that it begins with; gives its digest."""
        image = f"versions:lacking-{number}"
        labels = {"number": f"{self.user.name} {number}"}
        self.own.shared.push_variant(self.versions["lacking"], image, Labels=labels)
        return self.own.push(image, "web:latest")

    def unit(
        self, *more: str, name: str = "web:latest", image: str = "", update: str = "registry"
    ) -> str:
        """A web server's file; further lines stand after its `[Container]`, sections too."""
        lines = [f"Image={image or self.own.image(name)}", f"PublishPort={self.web}:8080"]
        lines += [f"AutoUpdate={update}"] if update else []
        return "\n".join(["[Container]", *lines, *more, WANTED])

    def answers(self) -> str:
        """What the web server says."""
        return page(self.user, self.web).strip()

    def answered(self, text: str) -> None:
        __tracebackhide__ = True

        def right() -> bool | Instead:
            said = self.answers()
            return said == text or Instead(said)

        self.user.wait_for(right, what=f"{text!r} from the web server")

    def taken_back(self, digest: str) -> None:
        """Wait until a version has failed, and the app is as it was before."""
        __tracebackhide__ = True

        def failed() -> bool:
            waits = held(self.user)
            return bool(waits.get("failed")) and waits["version"]["runs"].endswith(digest)

        self.user.wait_for(failed, what=f"{digest} to fail")
        ready(self.user, "web")

    def since(self, before: Sequence[Request]) -> Sequence[Request]:
        """What the registry was asked since then."""
        return self.own.requests()[len(before) :]


def images_of(user: User, app: str = "") -> list[dict[str, Any]]:
    """What `podvisor images --json` prints; asked of the daemon itself, since that costs little.

    Nothing while the daemon does not know the app yet.
    """
    session = mock.patch.dict(os.environ, XDG_RUNTIME_DIR=user.runtime_outside)
    with contextlib.suppress(NotRunning, Refused), session:
        shown = json.loads(ask("/v1/images", query={"app": app}, timeout_seconds=10))
        return list(shown["images"])
    done = user.podvisor("images", *([app] if app else []), "--json", check=False)
    return list(json.loads(done.stdout)["images"]) if done.stdout else []


def held(user: User, app: str = "web") -> dict[str, Any]:
    """The newer version of an app's one image that is not run, and why; empty if there is none."""
    return next((one["held"] for one in images_of(user, app) if one.get("held")), {})


def look(user: User) -> None:
    """Have the registries asked now."""
    user.podvisor("update", check=False)


def digest_of(user: User, container: str = "systemd-web") -> str:
    """Digest that a running container was made of; empty if there is none."""
    form = "{{.ImageDigest}}"
    return user.podman("inspect", f"--format={form}", container, check=False).stdout.strip()


def pinned(user: User, unit: str = "web.service") -> str:
    """The digest that systemd is to start; empty if that is whatever a tag stands for."""
    words = user.unit_state(unit)["ExecStart"].split()
    return next((word.partition("@")[2] for word in words if "@sha256:" in word), "")


def verdict(user: User, app: str = "web") -> float:
    """When the last release was found to be bad, in seconds since the epoch."""
    return max(one["time"] for one in events(user, app=app, step="quarantine"))
