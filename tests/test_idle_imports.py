"""What a daemon that follows no image, and hears no registry, does not load: idle memory counts."""

import json
import os
import subprocess
import sys
from pathlib import Path

IDLE = """
import json, pathlib, sys
import supervisor.daemon
from supervisor.wiring.environment import load_settings

reading = load_settings(pathlib.Path(sys.argv[1]))
assert reading.settings and not reading.findings, reading
print(json.dumps([*sys.modules]))
"""
SETTINGS = """
[sources.home]
git = "https://git.example.com/pi/home.git"
webhook = "forgejo"
webhook_secret = "file:~/secret"

[webhooks]
listen = "127.0.0.1:9078"
"""
OF_IMAGES = {
    "supervisor.adapters.git.artifact",
    "supervisor.adapters.git.unpack",
    "supervisor.adapters.git.writer",
    "supervisor.adapters.githost.pull_requests",
    "supervisor.adapters.podman.pull_errors",
    "supervisor.adapters.podman.signature_policy",
    "supervisor.adapters.registry.asking",
    "supervisor.controllers.operator.images",
    "supervisor.controllers.sources.pull_requests",
    "supervisor.controllers.sources.writeback",
    "supervisor.core.githost.pull_request_api",
    "supervisor.core.images.calendar",
    "supervisor.core.images.patterns",
    "supervisor.core.images.policy",
    "supervisor.core.images.policy_text",
    "supervisor.core.images.versions",
    "supervisor.core.images.writeback",
    "supervisor.core.registryhost.host",
    "supervisor.core.registryhost.senders.generic",
    "supervisor.core.status.image_status",
    "supervisor.kit.http.pool",
    "supervisor.kit.http.proxies",
    "supervisor.wiring.image_orders",
}

OF_NOTIFICATIONS = {
    "supervisor.adapters.notify.sender",
    "supervisor.controllers.notify.controller",
    "supervisor.core.notify",
    "supervisor.core.notify.message",
}
OF_CERTIFICATES = {
    "supervisor.adapters.certificates.installed",
    "supervisor.adapters.certificates.kept",
    "supervisor.controllers.certificates",
}
NEVER = {
    "OpenSSL",
    "acme",
    "apprise",
    "cryptography",
    "dns",
    "josepy",
    "lexicon",
    "requests",
    "supervisor.core.x509.keys",
    "supervisor.core.x509.pairs",
}
"""What only processes load that end."""


def loaded(tmp_path: Path, settings: str) -> set[str]:
    """Names of the modules that are there when these settings were read."""
    config = tmp_path / "config.toml"
    config.write_text(settings)
    done = subprocess.run(
        [sys.executable, "-c", IDLE, str(config)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env=os.environ,
    )
    return set(json.loads(done.stdout))


def test_what_serves_images_is_loaded_where_there_are_some(tmp_path: Path) -> None:
    assert not loaded(tmp_path, SETTINGS) & (OF_IMAGES | OF_NOTIFICATIONS | NEVER)


def test_what_reads_webhooks_of_registries_is_loaded_for_these(tmp_path: Path) -> None:
    more = '[webhooks.registries.zot]\nsender = "zot"\nregistry = "zot.lan"\nsecret = "file:~/s"\n'
    there = loaded(tmp_path, SETTINGS + more)
    assert "supervisor.core.registryhost.senders.zot" in there
    assert "supervisor.core.images.policy" not in there


def test_what_serves_certificates_is_loaded_where_there_are_some(tmp_path: Path) -> None:
    more = """
[certificates]
email = "me@example.org"

[certificates.issuers.own]
directory = "https://acme.example.org/directory"

[certificates.zones."example.org"]
provider = "hook"
hook = "/usr/bin/true"
"""
    assert not loaded(tmp_path, SETTINGS + more) & (OF_CERTIFICATES | NEVER)


def test_what_tells_people_is_not_even_loaded_by_settings_that_name_a_notifier(
    tmp_path: Path,
) -> None:
    more = '[notify.phone]\nurl = "file:~/phone"\n'
    assert not loaded(tmp_path, SETTINGS + more) & (OF_NOTIFICATIONS | NEVER)
