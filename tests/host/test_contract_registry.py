"""The Registry port against a real registry."""

from pathlib import Path

from conftest import Registry, User
from registries import OwnRegistry

SCRIPT = Path(__file__).parent / "contracts" / "registry.py"
INDEX = """
set -eu
for number in $(seq 2 120); do
    curl -fsS -X PUT -H "Content-Type: $3" --data-binary @manifest "http://$1/v2/web/manifests/$number"
done
size=$(stat -c %s manifest)
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","digest":"%s","size":%s,
  "platform":{"architecture":"amd64","os":"linux"}}]}' "$4" "$3" "$2" "$size" >index
curl -fsS -X PUT -H "Content-Type: $4" --data-binary @index "http://$1/v2/web/manifests/multi"
sha256sum index
"""


def test_registry(user: User, registry: Registry) -> None:
    user.systemctl("start", "podman.socket")
    open_one = OwnRegistry(user=user, shared=registry, port=user.port, name="open").start()
    secure = OwnRegistry(
        user=user, shared=registry, port=user.port + 1, name="secure", private=True, tls=True
    ).start()
    digest = open_one.push("podvisor-test:1", "web:1")
    secure.push("podvisor-test:1", "web:1")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    url = f"{open_one.url}/web/manifests/1"
    user.run("curl", "-fsS", "-H", f"Accept: {kind}", "-o", "manifest", url)
    list_kind = "application/vnd.docker.distribution.manifest.list.v2+json"
    done = user.run("sh", "-c", INDEX, "sh", open_one.host, digest, kind, list_kind)
    index = f"sha256:{done.stdout.split()[0]}"
    user.run(
        *("/opt/podvisor/bin/python", "-W", "error", "-"),
        *(open_one.host, secure.host, digest, index),
        input=SCRIPT.read_text(),
    )
