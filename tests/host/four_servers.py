"""An app of four web servers with one certificate: nginx and Caddy, plain units and containers.

All are Debian's, and take another certificate up as docs/reference/certificates.md says.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.host.certificate_scenes import ALONE, NAME, PLACE, SERVER, certificate
from tests.host.conftest import CHECKOUT, User
from tests.host.scenes import WANTED

LOAD = CHECKOUT / "contrib/lib/tls_load.py"
PAGE = CHECKOUT / "docs/reference/certificates.md"
MAKER = CHECKOUT / "contrib/lib/replicas.py"
NGINX, CADDY = "docker.io/library/nginx:1", "docker.io/library/caddy:2"
MAKE = "import replicas\nreplicas.make_images()\n"
SLOW_BYTES = 16 << 20
"""More than lies between a server and a client that takes its time."""
CADDYFILE = re.compile(r"^```text\n# Caddyfile\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class FourServers:
    """They have four of their user's ports, the first and those after it."""

    user: User

    @property
    def ports(self) -> dict[str, int]:
        """Unit to port."""
        units = ("nginx.service", "caddy.service", "nginx-box.service", "caddy-box.service")
        return {unit: self.user.port + number for number, unit in enumerate(units)}

    def files(self) -> dict[str, str]:
        """Write what they show, make the images, and return the app's files."""
        user, home = self.user, f"/home/{self.user.name}"
        user.write(MAKER.name, MAKER.read_text())
        user.run("python3", "-c", MAKE)
        user.write("www/index.html", "here\n")
        user.run("truncate", f"--size={SLOW_BYTES}", "www/slow")
        nginx, caddy, nginx_box, caddy_box = self.ports.values()
        folder, inside = f"{home}/{PLACE}/web", "/certificate"
        listen = f"127.0.0.1:{nginx}"
        alone = SERVER.format(listen=listen, name=NAME, folder=folder, www=f"{home}/www")
        user.write("nginx.conf", ALONE.format(home=home, servers=alone))
        own = {"8400": str(user.port + len(self.ports)), "/certificate": folder}
        user.write("Caddyfile", _caddyfile(caddy, own | {"* /www": f"* {home}/www"}))
        checks = [f"Check=https://localhost:{port}" for port in self.ports.values()]
        return {
            "web/web.certificate": certificate(*checks),
            "web/nginx.service": _unit(
                "[Service]",
                f"Environment=CERTIFICATE={folder}",
                f"ExecStart=/usr/sbin/nginx -c {home}/nginx.conf -e stderr",
                _reload("/bin/kill -HUP $MAINPID"),
                "KillSignal=SIGQUIT",
            ),
            "web/caddy.service": _unit(
                "[Service]",
                "Type=notify",
                f"Environment=CERTIFICATE={folder}",
                f"ExecStart=/usr/bin/caddy run --config {home}/Caddyfile",
                _reload("/bin/true"),
            ),
            "web/nginx-box.container": _box(
                NGINX,
                "nginx",
                nginx_box,
                "Volume=./nginx:/etc/nginx/conf.d:ro",
                reload="/usr/bin/podman exec nginx nginx -s reload",
            ),
            "web/caddy-box.container": _box(
                CADDY,
                "caddy",
                caddy_box,
                "Volume=./caddy:/etc/caddy:ro",
                reload="/bin/true",
            ),
            "web/nginx/web.conf": SERVER.format(listen=8443, name=NAME, folder=inside, www="/www"),
            "web/caddy/Caddyfile": _caddyfile(8443, {}),
        }

    @contextlib.contextmanager
    def asked(self, roots: str) -> Iterator["Asked"]:
        """Requests go to all of them meanwhile; what became of them is there in the end."""
        user, home = self.user, f"/home/{self.user.name}"
        user.write(LOAD.name, LOAD.read_text())
        user.write("load.json", "")
        start = ["systemd-run", "--user", "--quiet", "--unit=load", "--collect"]
        start += [f"--property=StandardOutput=truncate:{home}/load.json", "--", "python3"]
        ports = ",".join(map(str, self.ports.values()))
        user.run(*start, f"{home}/{LOAD.name}", ports, NAME, roots)
        asked = Asked(user, tuple(self.ports.values()))
        try:
            user.wait_for(lambda: "begun" in user.read("load.json"), what="first requests")
            yield asked
        finally:
            user.systemctl("stop", "load.service")
        asked.told.update(json.loads(user.read("load.json").splitlines()[-1]))


class Asked:
    """What the clients of all of them see."""

    def __init__(self, user: User, ports: tuple[int, ...]) -> None:
        self.told: dict[str, dict[str, object]] = {}
        self._user, self._ports = user, ports

    def see(self, serial: str) -> bool:
        """Whether a client of each has seen this certificate."""
        lines = self._user.read("load.json").splitlines()
        return all(f"{port} {serial}" in lines for port in self._ports)


def _caddyfile(port: int, other: dict[str, str]) -> str:
    """What the page shows, at that port; another user's Caddy on this host listens nowhere else."""
    (text,) = CADDYFILE.findall(PAGE.read_text())
    text = text.replace("{\n", "{\n\tadmin off\n", 1)
    for shown, used in ({f"https://{NAME}": f"https://{NAME}:{port}"} | other).items():
        text = text.replace(shown, used)
    return text


def _unit(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines) + WANTED


def _box(image: str, name: str, port: int, *lines: str, reload: str) -> str:
    return _unit(
        "[Container]",
        f"Image={image}",
        f"ContainerName={name}",
        f"PublishPort=127.0.0.1:{port}:8443",
        f"Volume=%h/{PLACE}/web:/certificate:ro",
        "Volume=%h/www:/www:ro",
        *lines,
        "",
        "[Service]",
        _reload(reload),
    )


def _reload(command: str) -> str:
    line = f"ExecReload={command}"
    assert f"`{line}`" in PAGE.read_text(), f"the page does not say {line}"
    return line
