"""What certificates cost, for `contrib/bench certificates`: run inside a host beside `measure.py`.

    measure_certificates.py orders            one after the other, beside certbot and lego
    measure_certificates.py many NUMBER       have so many, for the comparison at rest
    measure_certificates.py rounds            over those: nothing is due; beside certbot and lego

The issuer is Pebble, which `pebble.py` runs as units of the user; web servers are Debian's nginx in
plain units. The last line printed is a JSON list of figures.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator

from measure import HOME, SLEEPER, cpu_of_children, cpu_of_unit, figure, memory_of_unit, run

PORT = 20_000 + 10 * (os.getuid() % 1_000)
DIRECTORY = f"https://localhost:{PORT}/dir"
LISTEN = ("127.0.0.1", str(PORT + 4))
WEB_PORT = PORT + 6
APPS, PEBBLE, CERTBOT, LEGO = (HOME / one for one in ("apps", "pebble", "certbot", "lego"))
TRUST = f"{PEBBLE}/ca.crt"
TRUSTING = ("env", f"REQUESTS_CA_BUNDLE={TRUST}", f"LEGO_CA_CERTIFICATES={TRUST}")
INSTALLED = HOME / ".local/share/podvisor/certificates"
CONFIG = HOME / ".config/podvisor/config.toml"
SOURCE = '[sources.own]\nfolder = "~/apps"\n'
SETTINGS = f"""\
[certificates]
issuer = "pebble"
{{way}}
[certificates.issuers.pebble]
directory = "{DIRECTORY}"
authority = "~/pebble/ca.crt"
"""
AT_ONCE = '[rollout]\nsettle = "0s"\n'
CERTIFICATE = "[Certificate]\nDomain={name}.example.org\n"
NGINX = f"""\
daemon off;
error_log stderr;
pid {HOME}/{{name}}.pid;
events {{{{}}}}
http {{{{
    access_log off;
    client_body_temp_path {HOME}/tmp;
    proxy_temp_path {HOME}/tmp;
    fastcgi_temp_path {HOME}/tmp;
    uwsgi_temp_path {HOME}/tmp;
    scgi_temp_path {HOME}/tmp;
    server {{{{
        listen 127.0.0.1:{{port}} ssl;
        ssl_certificate {INSTALLED}/{{name}}/fullchain.pem;
        ssl_certificate_key {INSTALLED}/{{name}}/privkey.pem;
    }}}}
}}}}
"""
SERVER = f"""\
[Service]
Environment=CERTIFICATE={INSTALLED}/{{name}}
ExecStart=/usr/sbin/nginx -c {HOME}/{{name}}.conf -e stderr
ExecReload=/bin/kill -HUP $MAINPID
KillSignal=SIGQUIT
[Install]
WantedBy=default.target
"""
FIRST = "first.example.org"
"""What certbot and lego have issued themselves; the rest of 200 are as it is, under other names."""
MANY_APPS = 10
PATIENCE_SECONDS = 1_200
MS = 1_000


def measure_orders() -> list[dict]:
    """From what is asked for to a TLS client that sees it; what the daemon has afterwards."""
    start_issuer()
    start_podvisor(SOURCE + AT_ONCE, {"web0/web0.service": SLEEPER})
    run("systemctl", "--user", "restart", "podvisor")
    run("podvisor", "sync")
    time.sleep(5)
    memory = [memory_of_unit("podvisor.service")]
    taken: dict[str, list[float]] = {"first": [], "renewed": []}
    waits: dict[str, list[float]] = {"first": [], "renewed": []}
    for number in range(7):
        name, port = f"web{number}", WEB_PORT + number % 3
        with counted_waits(waits["first"]):
            began = time.monotonic()
            write(server(name, port))
            if number % 2:  # told of it, or noticed by itself
                run("podvisor", "sync")
            seen = wait_for(lambda port=port: served(port))
            taken["first"].append(MS * (time.monotonic() - began))
        time.sleep(3)  # what comes of it is over
        with counted_waits(waits["renewed"]):
            began = time.monotonic()
            run("podvisor", "certs", "renew", name)
            wait_for(lambda port=port, seen=seen: served(port) not in ("", seen))
            taken["renewed"].append(MS * (time.monotonic() - began))
        if not number:
            time.sleep(5)
            memory.append(memory_of_unit("podvisor.service"))
        shutil.rmtree(APPS / name)
        run("podvisor", "sync", "--prune-all")
    time.sleep(5)
    memory.append(memory_of_unit("podvisor.service"))
    before, after, later = memory
    own = {
        which: [one - wait for one, wait in zip(each, waits[which], strict=True)]
        for which, each in taken.items()
    }
    return [
        figure("first certificate, to a client that sees it", "ms", taken["first"], None),
        figure("the same, without waits that Pebble asks for", "ms", own["first"], 3_000),
        figure("renewal, to a client that sees it", "ms", taken["renewed"], None),
        figure("the same, without waits that Pebble asks for", "ms", own["renewed"], 3_000),
        figure("more memory of its own after the first two", "MB", [after.own - before.own], 2),
        figure("the same, PSS", "MB", [after.all - before.all], None),
        figure("the same after 12 more, for six apps", "MB", [later.own - before.own], None),
        *beside_others(),
    ]


def beside_others() -> list[dict]:
    """One certificate for one name by each of the three, in turn: time, and CPU of all of it."""
    ways = ("podvisor", "certbot", "lego")
    wall: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(6):
        for way in ways:
            time.sleep(2)
            name = f"one{number}" if number else FIRST.partition(".")[0]
            began = time.monotonic()
            if way == "podvisor":
                before = cpu_of_unit("podvisor.service")
                write(plain_app(name, [name]))
                wait_for((INSTALLED / name / "fullchain.pem").exists)
                ended = time.monotonic()
                time.sleep(2)  # what follows by itself, counts too
                spent = cpu_of_unit("podvisor.service") - before
            else:
                domain = f"{name}.example.org"
                argv = certbot_issues(domain) if way == "certbot" else lego(domain, "run")
                spent = cpu_of_children(*argv, quiet=True)
                ended = time.monotonic()
            if number:  # the first makes accounts, and fills caches
                wall[way].append(MS * (ended - began))
                cpu[way].append(spent)
    return [
        figure(f"issuing one, {what}", "ms", each["podvisor"], None, base=each[way], base_name=way)
        for what, each in (("time", wall), ("CPU", cpu))
        for way in ("certbot", "lego")
    ]


def measure_many() -> list[dict]:
    """Have so many, of ten apps, beside what runs already; each app's unit uses its own."""
    number = int(sys.argv[2])
    # Nothing is validated: what proves 200 names is not what is measured.
    start_issuer(environment="PEBBLE_VA_ALWAYS_VALID=1")
    (HOME / "webroot").mkdir()
    apps: dict[str, str] = {}
    for app in range(MANY_APPS):
        apps |= plain_app(f"app{app}", [f"a{app}c{one}" for one in range(number // MANY_APPS)])
    start_podvisor(CONFIG.read_text() + SOURCE, apps, 'webroot = "~/webroot"')
    wait_for(lambda: len(names()) == number, 1)
    return []


def measure_rounds() -> list[dict]:
    """A round over what `many` made, in which nothing is due; certbot and lego have the same."""
    every = names()
    start_issuer()  # which forgets the accounts of others
    for_certbot(every)
    for_lego(every)
    ours_cpu, ours_wall = [], []
    for number in range(6):
        time.sleep(3)
        before, began = cpu_of_unit("podvisor.service"), time.monotonic()
        spent = cpu_of_children("podvisor", "sync")
        ended = time.monotonic()
        time.sleep(2)
        if number:
            ours_wall.append(MS * (ended - began))
            ours_cpu.append(spent + cpu_of_unit("podvisor.service") - before)
    theirs = {
        "certbot": [(*certbot("renew"), "--no-random-sleep-on-renew")],
        "lego": [lego(f"{name}.example.org", "renew", "--days", "10") for name in every],
    }
    wall, cpu = {}, {}
    for way, commands in theirs.items():
        began = time.monotonic()
        cpu[way] = [sum(cpu_of_children(*argv, quiet=True) for argv in commands)]
        wall[way] = [MS * (time.monotonic() - began)]
    what = f"a round over {len(every)}, nothing due"
    return [
        *(
            figure(f"{what}, {kind}", "ms", ours, None, base=each[way], base_name=way)
            for kind, ours, each in (("time", ours_wall, wall), ("CPU", ours_cpu, cpu))
            for way in ("certbot", "lego")
        ),
        *resyncs(len(every)),
    ]


def resyncs(number: int) -> list[dict]:
    """The backstop by itself, with the certificates, and then without one."""
    with_all = resync()
    shutil.rmtree(APPS)
    APPS.mkdir()
    apps: dict[str, str] = {}
    for app in range(MANY_APPS):
        apps |= plain_app(f"app{app}", [])
    write(apps)
    run("podvisor", "sync", "--prune-all")
    time.sleep(10)
    without = resync()
    more = [with_all - without]
    return [figure(f"a resync over {number}, CPU beyond one without", "ms", more, 150)]


def resync(times: int = 6, seconds: int = 10) -> float:
    """CPU milliseconds of one, the mean of some."""
    before = CONFIG.read_text()
    CONFIG.write_text(f'{before}[repair]\nresync = "{seconds}s"\n')
    run("systemctl", "--user", "reload", "podvisor")
    time.sleep(seconds / 2)
    spent = cpu_of_unit("podvisor.service")
    time.sleep(times * seconds)
    spent = cpu_of_unit("podvisor.service") - spent
    CONFIG.write_text(before)
    run("systemctl", "--user", "reload", "podvisor")
    return spent / times


# --- podvisor, and the issuer


def start_issuer(**options: object) -> None:
    run("python3", f"{HOME}/pebble.py", str(PEBBLE), str(PORT), json.dumps(options))


def start_podvisor(settings: str, files: dict[str, str], way: str = "") -> None:
    write(files)
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    CONFIG.write_text(settings + SETTINGS.format(way=way or f'http_listen = "{":".join(LISTEN)}"'))
    run("podvisor", "setup")
    run("systemctl", "--user", "reload", "podvisor")
    run("podvisor", "sync")


def write(files: dict[str, str]) -> None:
    """Write files of apps."""
    for path, text in files.items():
        (APPS / path).parent.mkdir(parents=True, exist_ok=True)
        (APPS / path).write_text(text)


def server(name: str, port: int) -> dict[str, str]:
    """An app with a web server and the certificate that it serves."""
    (HOME / f"{name}.conf").write_text(NGINX.format(name=name, port=port))
    check = f"Check=https://localhost:{port}\n"
    return {
        f"{name}/{name}.certificate": CERTIFICATE.format(name=name) + check,
        f"{name}/{name}.service": SERVER.format(name=name),
    }


def plain_app(app: str, certificates: list[str]) -> dict[str, str]:
    """An app whose unit sleeps, and names these certificates."""
    uses = "".join(f"Environment=USE_{one}={INSTALLED}/{one}\n" for one in certificates)
    files = {f"{app}/{one}.certificate": CERTIFICATE.format(name=one) for one in certificates}
    return files | {f"{app}/{app}.service": SLEEPER.replace("[Service]\n", f"[Service]\n{uses}")}


def names() -> list[str]:
    """The certificates that are installed."""
    return sorted(path.parent.name for path in INSTALLED.glob("*/fullchain.pem"))


def wait_for(what: Callable[[], object], pause: float = 0.01) -> object:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        if time.monotonic() > deadline:
            sys.exit("it did not come in time")
        time.sleep(pause)
    return found


def served(port: int) -> str:
    """What a TLS client is shown at a port; empty if nothing is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
    return ""


@contextlib.contextmanager
def counted_waits(waits: list[float]) -> Iterator[None]:
    """Note the milliseconds for which Pebble has its client wait: a second before it asks again.

    Its `Retry-After` cannot be less. An authorisation is asked for once before it is proven, an
    order once before it is finished, and both once more at least.
    """
    log = PEBBLE / "pebble.log"
    at = log.stat().st_size
    yield
    said = log.read_bytes()[at:].decode()
    asked = (said.count("POST /authZ/") - 2, said.count("POST /my-order/") - 1)
    waits.append(MS * sum(max(0, times) for times in asked))


# --- the others


def certbot(verb: str, *more: str) -> tuple[str, ...]:
    folders = [f"--{kind}-dir={CERTBOT}/{kind}" for kind in ("config", "work", "logs")]
    return (
        *TRUSTING,
        "certbot",
        verb,
        *folders,
        f"--server={DIRECTORY}",
        "--non-interactive",
        *more,
    )


def certbot_issues(domain: str) -> tuple[str, ...]:
    where = (f"--http-01-address={LISTEN[0]}", f"--http-01-port={LISTEN[1]}", f"--domain={domain}")
    who = ("--agree-tos", "--register-unsafely-without-email")
    return certbot("certonly", "--standalone", *who, *where)


def lego(domain: str, *verb: str) -> tuple[str, ...]:
    who = ("--accept-tos", "--email=me@example.org", "--key-type=ec256", f"--server={DIRECTORY}")
    where = (f"--path={LEGO}", "--http", f"--http.port={':'.join(LISTEN)}", f"--domains={domain}")
    return (*TRUSTING, "lego", *who, *where, *verb)


def for_certbot(every: list[str]) -> None:
    """Have it issue one; the others are podvisor's, put where it looks, with settings like that."""
    cpu_of_children(*certbot_issues(FIRST), quiet=True)
    config = CERTBOT / "config"
    settings = (config / f"renewal/{FIRST}.conf").read_text()
    for name in every:
        domain = f"{name}.example.org"
        (config / f"renewal/{domain}.conf").write_text(settings.replace(FIRST, domain))
        for kind in ("archive", "live"):
            (config / kind / domain).mkdir()
        for file in ("cert", "chain", "fullchain", "privkey"):
            shutil.copy(INSTALLED / name / f"{file}.pem", config / f"archive/{domain}/{file}1.pem")
            link = config / f"live/{domain}/{file}.pem"
            link.symlink_to(f"../../archive/{domain}/{file}1.pem")
    shutil.rmtree(config / f"archive/{FIRST}")
    shutil.rmtree(config / f"live/{FIRST}")
    (config / f"renewal/{FIRST}.conf").unlink()


def for_lego(every: list[str]) -> None:
    """The same for it."""
    cpu_of_children(*lego(FIRST, "run"), quiet=True)
    folder = LEGO / "certificates"
    about = (folder / f"{FIRST}.json").read_text()
    for name in every:
        domain = f"{name}.example.org"
        (folder / f"{domain}.json").write_text(about.replace(FIRST, domain))
        for file, to in {"fullchain": "crt", "privkey": "key", "chain": "issuer.crt"}.items():
            shutil.copy(INSTALLED / name / f"{file}.pem", folder / f"{domain}.{to}")


if __name__ == "__main__":
    results = globals()[f"measure_{sys.argv[1]}"]()
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(results))
