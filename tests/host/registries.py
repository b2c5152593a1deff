"""A registry of a user's own: its requests in a log, with a password, TLS, webhooks where asked.

The host's registries (`conftest.Registry`) are everybody's; this one runs as the user, at a port
that no other user of the host has, and is there again after a reboot.
"""

import base64
import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.host.conftest import Registry, User

SECRET = "what only this registry knows"
REQUEST = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d{3}) ')
UNIT = """\
[Service]
ExecStart=/usr/bin/docker-registry serve {home}/config.yml
ExecStartPost=/bin/sh -c 'until curl --silent --insecure {url}/; do sleep 0.02; done'
StandardOutput=append:{home}/requests.log

[Install]
WantedBy=default.target
"""
CERTIFICATE = """\
cd "$1"
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
$new -subj "/CN=A CA of ours" -keyout ca.key -out ca.crt
$new -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE \\
    -CA ca.crt -CAkey ca.key -keyout tls.key -out tls.crt
"""


@functools.cache
def digest_in(registry: Registry, image: str) -> str:
    """Digest of an image of the open registry that nobody pushes over."""
    return registry.digest(image)


class Request(NamedTuple):
    """One that the registry answered."""

    method: str
    path: str
    status: int


@dataclass(frozen=True, kw_only=True)
class OwnRegistry:
    """Image names are NAME:TAG, without the registry in front; `image` gives the whole name."""

    user: User
    shared: Registry
    """Where the images come from."""
    port: int
    name: str = "registry"
    """Of its folder and service; another one for a second registry of the same user."""
    private: bool = False
    """Whether it asks for `shared.username` and `shared.password`."""
    tls: bool = False
    """Whether it speaks TLS, by a CA that nobody trusts until `trust`."""

    @property
    def service(self) -> str:
        return f"{self.name}.service"

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}/v2"

    def image(self, name: str) -> str:
        return f"{self.host}/{name}"

    def start(self, *, webhook: str = "", headers: dict[str, str] | None = None) -> "OwnRegistry":
        """Start it, or with other settings; its events go to `webhook`, if that says where."""
        home = f"/home/{self.user.name}/{self.name}"
        self.user.write(
            f"{self.name}/config.yml", json.dumps(self._settings(home, webhook, headers))
        )
        if self.tls and not (self.user.home / self.name / "tls.crt").exists():
            self.user.run("sh", "-euc", CERTIFICATE, "sh", home)
        if not self.tls:
            self.user.write(
                f".config/containers/registries.conf.d/{self.name}.conf",
                f'[[registry]]\nlocation = "{self.host}"\ninsecure = true\n',
            )
        self.user.write(
            f".config/systemd/user/{self.service}", UNIT.format(home=home, url=self.url)
        )
        self.user.systemctl("enable", self.service)
        self.user.systemctl("restart", self.service)
        return self

    def _settings(
        self, home: str, webhook: str, headers: dict[str, str] | None
    ) -> dict[str, object]:
        http: dict[str, object] = {"addr": f"127.0.0.1:{self.port}"}
        if self.tls:
            http["tls"] = {"certificate": f"{home}/tls.crt", "key": f"{home}/tls.key"}
        settings: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": home}, "delete": {"enabled": True}},
            "http": http,
        }
        if self.private:
            passwords = {"realm": "own", "path": "/etc/podvisor-host.htpasswd"}
            settings["auth"] = {"htpasswd": passwords}
        if webhook:
            endpoint: dict[str, object] = {"name": "podvisor", "url": webhook}
            endpoint |= {"timeout": "1s", "threshold": 10, "backoff": "1s"}
            endpoint["headers"] = {name: [value] for name, value in (headers or {}).items()}
            settings["notifications"] = {"endpoints": [endpoint]}
        return settings

    def tell(self, secret: str = SECRET) -> "OwnRegistry":
        """Start it; it tells podvisor, if that has the settings `heard`, of what is pushed."""
        url = f"http://127.0.0.1:{self.hooks}/hooks/images/ours"
        return self.start(webhook=url, headers={"Authorization": secret})

    @property
    def hooks(self) -> int:
        """Port of podvisor's listener."""
        return self.port + 1

    @property
    def heard(self) -> str:
        """Settings with which podvisor hears it, and the secret that they name."""
        self.user.write("hook-secret", SECRET, mode=0o600)
        ours = 'sender = "distribution"\nsecret = "file:~/hook-secret"\n'
        place = f"127.0.0.1:{self.hooks}"
        listen = f'[webhooks]\nlisten = "{place}"\npublic_url = "http://{place}"\n'
        return f"{listen}[webhooks.registries.ours]\n{ours}"

    def stop(self) -> None:
        self.user.systemctl("stop", self.service)

    def trust(self) -> None:
        """Have Podman trust its CA."""
        ca = (self.user.home / self.name / "ca.crt").read_text()
        self.user.write(f".config/containers/certs.d/{self.host}/ca.crt", ca)

    def login(self) -> None:
        """Store its password where Podman keeps it for good."""
        pair = base64.b64encode(f"{self.shared.username}:{self.shared.password}".encode()).decode()
        self.user.write(
            ".config/containers/auth.json", json.dumps({"auths": {self.host: {"auth": pair}}})
        )

    def push(self, image: str, *names: str) -> str:
        """Copy an image of the open registry to these names; gives its digest."""
        creds = f"{self.shared.username}:{self.shared.password}"
        copy = ["skopeo", "copy", "--quiet", "--preserve-digests"]
        copy += ["--src-tls-verify=false", "--dest-tls-verify=false"]
        copy += [f"--dest-creds={creds}"] if self.private else []
        for name in names:
            source, target = f"{self.shared.url}/{image}", self.image(name)
            self.user.run(*copy, f"docker://{source}", f"docker://{target}")
        return digest_in(self.shared, image)

    def delete(self, name: str) -> None:
        """Delete an image, with all tags of it under that name."""
        self.user.run("skopeo", "delete", "--tls-verify=false", f"docker://{self.image(name)}")

    def requests(self) -> Sequence[Request]:
        """All that it has answered so far, but to curl, which waits for its start."""
        lines = self.user.read(f"{self.name}/requests.log").splitlines()
        found = [REQUEST.search(line) for line in lines if '"curl/' not in line]
        return [Request(one["method"], one["path"], int(one["status"])) for one in found if one]
