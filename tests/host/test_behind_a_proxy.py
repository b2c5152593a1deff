"""docs/how-to/put-the-page-behind-a-proxy.md as it stands, with Debian's nginx and Caddy.

What they ask, as they would ask Authelia, is a stub here that speaks its protocol.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host.conftest import User
from tests.host.scenes import deploy_folder, events, ready, service, wait_for_states

HOW_TO = Path(__file__).parents[2] / "docs/how-to/put-the-page-behind-a-proxy.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME, PORTAL, PASSWORD = "podvisor.example.org", "https://auth.example.org/", "correct horse"
HASH = "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
"""Of the password, as `caddy hash-password` makes them, and a thousand times cheaper to look at."""
OUT = re.compile(rf"(?imsx) HTTP/\S+ \s (401 | 302 .* ^location:\s{PORTAL})")
COOKIE = re.compile(r"(?im)^set-cookie: (__Host-podvisor-forms=[^;]+);.*Secure")
STUB = """
import http.server

class Authelia(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        cookie = self.headers.get("Cookie", "")
        is_in = "session=" in cookie
        self.send_response(200 if is_in else 302 if "forward" in self.path else 401)
        if "session=anna" in cookie:
            self.send_header("Remote-User", "anna")
        if not is_in:
            self.send_header("Location", "{portal}")
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", {port}), Authelia).serve_forever()
"""
NGINX = """
user www-data;
daemon off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    gzip on;
{servers}
}}
"""
CADDY = "{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{sites}"


@dataclass(frozen=True)
class Proxy:
    """One of those that the page shows, as its visitors reach it."""

    user: User
    port: int
    login: tuple[str, ...]
    nobody: tuple[str, ...]
    """Whom it lets in without a name; empty is nobody."""

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.port}"

    def ask(self, path: str, *more: str, login: tuple[str, ...] | None = None) -> tuple[str, str]:
        """Head and body of an answer, to who logged in unless another way is said."""
        words = (*(self.login if login is None else login), *more)
        done = self.user.run(*self.curl(path), "--include", *words, check=False)
        head, _, body = done.stdout.partition("\n\n")
        return head, body

    def curl(self, path: str) -> list[str]:
        """How it is asked."""
        roots = f"/srv/{self.user.name}-proxy/fullchain.pem"
        there = f"{NAME}:{self.port}:127.0.0.1"
        known = ["--silent", "--compressed", "--cacert", roots, "--resolve", there]
        return ["curl", *known, f"{self.origin}{path}"]


def shown(user, text):
    """Use a place of this test's own for each that the page names."""
    own = {
        "/srv/podvisor-page": f"/srv/{user.name}-page",
        "/etc/nginx/podvisor.htpasswd": f"/srv/{user.name}-proxy/htpasswd",
        "/etc/nginx/podvisor": f"/srv/{user.name}-proxy",
        "authelia:9091": f"127.0.0.1:{user.port + 9}",
        "passwd -apr1": f"passwd -apr1 '{PASSWORD}'",
    }
    for place, other in own.items():
        text = text.replace(place, other)
    return text


@pytest.fixture
def proxies(user):
    """All of them, with the page behind them."""
    host, folder = user.host, f"/srv/{user.name}-proxy"
    found = {}
    for language, block in BLOCK.findall(HOW_TO.read_text()):
        found.setdefault(language, []).append(shown(user, block))
    key, chain = f"{folder}/privkey.pem", f"{folder}/fullchain.pem"
    make = f"mkdir {folder}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    make += f" -keyout {key} -out {chain} -subj /CN={NAME} -addext subjectAltName=DNS:{NAME}"
    host.run("sh", "-ec", f"{make}; chown caddy {key}")
    for block in found["sh"][:3]:
        for line in block.splitlines():
            if "sudo" in line:
                host.run("sh", "-ec", line.replace("sudo ", ""), env={"USER": user.name})
            elif line != "podvisor setup":  # which starts the daemon, below
                user.run("sh", "-ec", line)
    deploy_folder(user, {"a/a.service": service()}, more=found["toml"][1])
    ready(user, "a")

    ports = range(user.port, user.port + 4)
    servers, sites = "", ""
    for port, block in zip(ports[:2], found["nginx"], strict=True):
        servers += block.replace("listen 443", f"listen 127.0.0.1:{port}")
    for port, block in zip(ports[2:], found["caddy"], strict=True):
        first = f"https://{NAME}:{port} {{\n\ttls {chain} {key}"
        sites += block.replace(f"{NAME} {{", first)
    sites = sites.replace("$2a$14$…", HASH)
    version = host.run("caddy", "version").stdout.lstrip("v").split(".")
    if [int(part) for part in version[:2]] < [2, 8]:
        sites = sites.replace("basic_auth", "basicauth")
    user.write("nginx.conf", NGINX.format(folder=folder, servers=servers))
    user.write("Caddyfile", CADDY.format(sites=sites))
    user.write("authelia.py", STUB.format(port=user.port + 9, portal=PORTAL))
    host.run("cp", f"/home/{user.name}/nginx.conf", f"/home/{user.name}/Caddyfile", folder)
    nginx, caddy = f"{user.name}-nginx.service", f"{user.name}-caddy.service"
    run = ("systemd-run", "--quiet", "--collect", "-pKillSignal=SIGKILL")
    host.run(*run, f"--unit={nginx}", "nginx", "-c", f"{folder}/nginx.conf", "-e", "stderr")
    other = ("-pUser=caddy", "-pSupplementaryGroups=www-data", "-pEnvironment=HOME=/var/lib/caddy")
    words = ("caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile")
    host.run(*run, f"--unit={caddy}", *other, *words)
    home = f"/home/{user.name}"
    user.run("systemd-run", "--user", "--quiet", "python3", f"{home}/authelia.py")
    basic, session = ("--user", f"anna:{PASSWORD}"), ("--cookie", "session=anna")
    nobody = ("--cookie", "session=nobody")
    yield [
        Proxy(user, ports[0], basic, ()),
        Proxy(user, ports[1], session, nobody),
        Proxy(user, ports[2], basic, ()),
        Proxy(user, ports[3], session, nobody),
    ]
    host.systemctl("stop", nginx, caddy, check=False)
    host.run("rm", "-rf", folder, f"/srv/{user.name}-page")


def visitor(page):
    """Who the page says that it is shown to."""
    return re.findall(r'action="/logout">([^<]*?) *(?:<|$)', page)


def test_the_page_knows_whom_a_proxy_let_in(user, proxies):
    state = "resumed"
    for proxy in proxies:
        user.wait_for(lambda proxy=proxy: proxy.ask("/")[0], what="the proxy")
        head, _ = proxy.ask("/", login=())
        assert re.match(OUT, head)

        # Whoever claims another name, in whatever spelling, is who logged in.
        for name in ("Remote-User", "remote_user"):
            head, page = proxy.ask("/apps/a", "--header", f"{name}: eve")
            assert visitor(page) == ["anna"], head + page
            if proxy.nobody:
                _, page = proxy.ask("/apps/a", "--header", f"{name}: eve", login=proxy.nobody)
                assert ("<h1" in page, visitor(page)) == (True, [])

        # A stream is taken up again where it was left, and goes on as things happen.
        last = events(user)[-1]["id"]
        live, seen = proxy.curl("/live?after=1"), f"live-{proxy.port}"
        output = ("--output", f"/home/{user.name}/{seen}")
        again = ("--no-buffer", "--header", f"Last-Event-ID: {last - 1}", *proxy.login)
        user.write(seen, "")
        user.run("systemd-run", "--user", "--quiet", *live, *output, *again)
        user.wait_for(lambda seen=seen, last=last: f"id: {last}\n" in user.read(seen), what="an id")

        state = "suspend" if state.startswith("resume") else "resume"
        head, page = proxy.ask("/apps/a")
        (kept,) = COOKIE.findall(head)
        (proof, *_) = re.findall(r'name="proof" value="(\w+)"', page)
        order = []
        for field in (f"proof={proof}", "app=a", "confirmed=yes"):
            order += ["--data-urlencode", field]
        login = (*proxy.login, "--cookie", kept)
        path = f"/orders/{state}"
        head, _ = proxy.ask(path, "--header", "Origin: https://evil.example", *order, login=login)
        assert " 403" in head
        head, _ = proxy.ask(path, "--header", f"Origin: {proxy.origin}", *order, login=login)
        assert re.search(r"(?im)^location: /ordered/", head), head
        wait_for_states(user, a="suspended" if state == "suspend" else "ready")
        user.wait_for(
            lambda seen=seen, last=last: f"id: {last + 1}\n" in user.read(seen), what="it"
        )
    told = [(one["kind"], one["by"]) for one in events(user) if one.get("by")]
    assert told == [("suspended", "anna (page)"), ("resumed", "anna (page)")] * 2

    # Nobody goes round them.
    round_them = ("curl", "--silent", "--unix-socket", f"/srv/{user.name}-page/page.sock")
    assert user.host.run(*round_them, "http://localhost/", user="nobody", check=False).returncode
    head = user.run(*round_them, f"http://{NAME}/v1/status").stdout
    assert json.loads(head)["running"]
