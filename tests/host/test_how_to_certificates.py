"""The how-tos on certificates, followed as they stand; Pebble takes the public issuer's place."""

import re
from pathlib import Path

import pytest

from tests.host.certificate_scenes import ALONE, NAME, make_image, nginx_unit, run_of, served
from tests.host.scenes import deploy_folder, ready

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
SECTION = re.compile(r"^##+ (.+?)\n(.*?)(?=^##+ |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = "net.ipv4.ip_unprivileged_port_start"
LOOKS = ("curl ", "podvisor certs\n", "podvisor sync\n")
SOURCE = '[sources.home]\nfolder = "~/apps"\n\n[rollout]\nsettle = "1s"\n'
ISSUER = '\n[certificates.issuers.letsencrypt]\ndirectory = "{}"\nauthority = "{}"\n'
"""What is otherwise than on the page: Let's Encrypt is Pebble."""


def blocks(page):
    """Section, language and text of each block."""
    for title, text in SECTION.findall((HOW_TO / page).read_text()):
        for language, block in BLOCK.findall(text):
            yield title, language, block


@pytest.fixture
def all_ports(machine):
    """The kernel's setting, which a page has one change, is put back."""
    before = machine.run("sysctl", "--values", PORTS).stdout.strip()
    yield
    machine.run("sysctl", f"{PORTS}={before}")
    machine.run("rm", "-f", "/etc/sysctl.d/50-unprivileged-ports.conf")


@pytest.mark.usefixtures("all_ports")
def test_https_for_a_container_in_five_minutes(user, acme):
    acme.start(httpPort=80)
    make_image(user)
    user.write(".config/podvisor/config.toml", SOURCE)
    user.start_daemon()
    seen = []

    def shell(block):
        asked = f"curl --fail --silent --cacert {acme.trust} --resolve {NAME}:443:127.0.0.1"
        return user.run("bash", "-ec", block.replace("curl", asked), check=False)

    for title, language, block in blocks("https-for-a-container.md"):
        if language == "toml":
            mended = SOURCE + block + ISSUER.format(acme.directory, acme.authority)
            user.write(".config/podvisor/config.toml", mended)
        elif language != "sh":
            first, _, text = block.partition("\n")
            user.write(f"apps/{first.removeprefix('# ')}", text)
        elif "sudo" in block:
            # In a container, other keys of the kernel may not be set.
            user.host.run("sh", "-c", block.replace("sudo ", ""), check=False)
            assert user.host.run("sysctl", "--values", PORTS).stdout == "80\n"
        elif block.startswith(LOOKS):
            user.wait_for(lambda block=block: shell(block).returncode == 0, what=block)
        else:
            run = run_of(user)
            done = shell(block)
            assert done.returncode == 0, done.stdout + done.stderr
        if title == "See it come" and "curl" in block:
            ready(user, "web")
            assert "Hello, privately" in shell(block).stdout
            seen.append(served(user, 443, acme.trust))
    user.wait_for(lambda: served(user, 443, acme.trust) not in ("", *seen), what="another one")
    assert len(acme.issued()) == 2
    assert run_of(user) == run


@pytest.mark.parametrize("proxy", ["Caddy", "nginx", "A web server shows a folder"])
def test_challenges_are_answered_as_the_page_says(user, acme, port, proxy):
    """The web server has port 80, and does with this path what the page says."""
    inner = port + 8
    shown = {title: block for title, language, block in blocks("answer-http-challenges.md")}
    home = f"/home/{user.name}"
    block = shown[proxy].replace("listen 80;", f"listen 127.0.0.1:{acme.http_port};")
    block = block.replace("127.0.0.1:8402", f"127.0.0.1:{inner}")
    webroot = ""
    if proxy == "Caddy":
        site = block.replace(f"http://{NAME} ", f"http://{NAME}:{acme.http_port} ")
        user.write("Caddyfile", f"{{\n\tadmin off\n}}\n{site}")
        argv = ["/usr/bin/caddy", "run", "--config", f"{home}/Caddyfile", "--adapter", "caddyfile"]
    else:
        if "folder" in proxy:
            webroot = f"{home}/acme-www"
            user.write("acme-www/.keep", "")
            block = block.replace("/acme;", f"{webroot};")
            block = f"server {{ listen 127.0.0.1:{acme.http_port}; {block} }}"
        user.write("proxy.conf", ALONE.format(home=f"{home}/proxy", servers=block))
        user.write("proxy/.keep", "")
        argv = ["/usr/sbin/nginx", "-c", f"{home}/proxy.conf", "-e", "stderr"]
    user.run("systemd-run", "--user", "--quiet", "--unit=proxy", "--", *argv)
    ask = ["curl", "--silent", "--output", "/dev/null", f"http://127.0.0.1:{acme.http_port}/"]
    user.wait_for(lambda: user.run(*ask, check=False).returncode == 0, what="the web server")
    settings = acme.settings(webroot=webroot)
    settings = settings.replace(f"127.0.0.1:{acme.http_port}", f"127.0.0.1:{inner}")
    deploy_folder(user, nginx_unit(user, port), more=settings)
    ready(user, "web")
    assert [served(user, port, acme.trust)] == acme.issued()
