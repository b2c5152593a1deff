"""What the scenarios of certificates share: web servers over TLS, and who asks them."""

import json

from tests.host.conftest import CHECKOUT, User
from tests.host.scenes import WANTED

NAME = "www.example.org"
IMAGE = "docker.io/library/nginx:1"
PLACE = ".local/share/podvisor/certificates"
KEPT = ".local/state/podvisor/certificates"
MAKER = CHECKOUT / "contrib/lib/replicas.py"
MAKE = f"""
import replicas
made = ("ENV PATH=/usr/sbin:/usr/bin:/bin", "STOPSIGNAL QUIT", 'CMD ["nginx","-g","daemon off;"]')
files = ("/usr/sbin/nginx", "/etc/nginx")
replicas.run("bash", "-c", replicas.IMAGE, "image", "{IMAGE}", *made, "--", *files)
"""
SERVER = """\
server {{
    listen {listen} ssl;
    server_name {name};
    ssl_certificate {folder}/fullchain.pem;
    ssl_certificate_key {folder}/privkey.pem;
    root {www};
}}
"""
ALONE = """\
daemon off;
error_log stderr;
pid {home}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/tmp;
    proxy_temp_path {home}/tmp;
    fastcgi_temp_path {home}/tmp;
    uwsgi_temp_path {home}/tmp;
    scgi_temp_path {home}/tmp;
{servers}
}}
"""


def certificate(*lines: str, name: str = NAME) -> str:
    """A `.certificate` file."""
    return "".join(f"{line}\n" for line in ("[Certificate]", f"Domain={name}", *lines))


def make_image(user: User) -> None:
    """Make nginx's image, of Debian's own nginx."""
    user.write(MAKER.name, MAKER.read_text())
    user.run("python3", "-c", MAKE)


def nginx_unit(
    user: User,
    port: int,
    *lines: str,
    folder: str = "",
    before: str = "",
    more: str = "",
    name: str = NAME,
) -> dict[str, str]:
    """The files of an app that serves its certificate from a plain unit: quick to start.

    `folder` is another one than podvisor's, `before` a command that runs first, `more` another
    server.
    """
    home = f"/home/{user.name}"
    server = SERVER.format(
        listen=f"127.0.0.1:{port}", name=name, folder=folder or f"{home}/{PLACE}/web", www=home
    )
    user.write("nginx.conf", ALONE.format(home=home, servers=server + more))
    user.write("index.html", "here\n")
    unit = (
        "[Service]",
        f"Environment=CERTIFICATE={home}/{PLACE}/web",
        *([f"ExecStartPre={before}"] if before else []),
        f"ExecStart=/usr/sbin/nginx -c {home}/nginx.conf -e stderr",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "KillSignal=SIGQUIT",
    )
    return {
        "web/web.certificate": certificate(f"Check=https://localhost:{port}", *lines, name=name),
        "web/web.service": "\n".join(unit) + "\n" + WANTED,
    }


def served(user: User, port: int, roots: str, *, name: str = NAME) -> str:
    """Serial of what is served there, verified against these roots; empty if nothing is."""
    ask = f"openssl s_client -connect 127.0.0.1:{port} -servername {name} -verify_hostname {name}"
    ask += f" -verify_return_error -CAfile {roots} </dev/null | openssl x509 -noout -serial"
    done = user.run("bash", "-o", "pipefail", "-c", ask, check=False)
    if done.returncode:
        return ""
    return done.stdout.strip().removeprefix("serial=").lstrip("0").lower()


def certificates(user: User) -> dict[str, dict[str, object]]:
    """How each certificate stands, by its name."""
    done = user.podvisor("certs", "--json", check=False)
    return {one["name"]: one for one in json.loads(done.stdout)["certificates"]}


def installed(user: User, name: str = "web") -> dict[str, str]:
    """What is installed: file to text."""
    folder = user.home / PLACE / name
    return {
        path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith("..")
    }


def run_of(user: User, unit: str = "web.service") -> str:
    """Another one after each start."""
    return user.unit_state(unit).get("InvocationID", "")
