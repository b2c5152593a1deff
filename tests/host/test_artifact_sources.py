"""Sources that are artifacts, on a real host with Debian's registry: pushed, signed, told of."""

import base64
import json
import time

from tests.fakes import artifacts
from tests.fakes.artifacts import Pushed, flux, flux_of, member, oras, packed
from tests.host.registries import SECRET, OwnRegistry
from tests.host.scenes import (
    active,
    app_of,
    configure,
    events,
    main_pid,
    ready,
    service,
    sleeper,
    source,
    states,
    status,
    sync,
)

NAME = "me/apps"
PUSH = """
import base64, hashlib, json, ssl, sys, urllib.request
asked = json.load(sys.stdin)

def send(method, url, body=b"", kind="application/octet-stream"):
    headers = {"Content-Type": kind, "Authorization": asked["authorization"]}
    made = urllib.request.Request(url, data=body, method=method, headers=headers)
    anybody = ssl._create_unverified_context()
    with urllib.request.urlopen(made, context=anybody) as answer:
        return answer.headers

for blob in map(base64.b64decode, asked["blobs"]):
    place = send("POST", asked["url"] + "/blobs/uploads/")["Location"]
    place += ("&" if "?" in place else "?") + "digest=sha256:" + hashlib.sha256(blob).hexdigest()
    send("PUT", place, blob)
manifest, kind = base64.b64decode(asked["manifest"]), asked["kind"]
send("PUT", asked["url"] + "/manifests/" + asked["tag"], manifest, kind)
"""


def push(own, pushed, tag="main", *, kind=artifacts.MANIFEST):
    """Push an artifact as the programs do, in plain HTTP; returns the hex of its digest."""
    pair = f"{own.shared.username}:{own.shared.password}"
    asked = {
        "url": f"{own.url}/{NAME}",
        "authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        "tag": tag,
        "kind": kind,
        "manifest": base64.b64encode(pushed.manifest).decode(),
        "blobs": [base64.b64encode(one).decode() for one in pushed.blobs],
    }
    own.user.run("python3", "-c", PUSH, input=json.dumps(asked))
    return pushed.digest.removeprefix("sha256:")


def web(seconds, **more):
    return {"apps/web/web.service": service(seconds), **more}


def start(own, *settings, more=""):
    configure(own.user, f'oci = "{own.image(NAME)}:main"', *settings, more=more)
    own.user.start_daemon()


def revision(user, name="web"):
    return app_of(user, name).get("revision")


def test_what_flux_and_oras_push_is_deployed_and_a_bad_one_is_not(user, registry):
    own = OwnRegistry(user=user, shared=registry, port=user.port).start()
    first = push(own, flux(web(1000), revision="main@sha1:1f3870be"))
    start(own)
    ready(user, "web")
    assert revision(user) == source(user)["revision"] == first
    assert source(user)["subject"] == "main@sha1:1f3870be"
    assert source(user)["location"] == f"{own.image(NAME)}:main"
    assert first[:8] in user.podvisor("status").stdout
    before = main_pid(user, "web.service")

    second = push(own, oras({"README": "x"}, {"apps": {"web/web.service": service(1000)}}))
    assert sync(user).returncode == 0
    assert source(user)["revision"] == second
    assert main_pid(user, "web.service") == before, "the same app in another wrapping"

    third = push(own, flux(web(2000, **{"apps/box/box.container": sleeper()})))
    assert sync(user).returncode == 0
    ready(user, "box", "web")
    assert main_pid(user, "web.service") != before
    assert revision(user) == revision(user, "box") == third

    before = main_pid(user, "web.service")
    hostile = [
        member("apps/web/web.service", service(3000).encode()),
        member("apps/box/box.container", sleeper().encode()),
        member("apps/web/../../../../etc/x", b"x"),
        member("apps/web/link", type=b"2", linkname="/etc/passwd"),
    ]
    push(own, flux_of(packed(hostile)))
    sync(user)
    assert states(user) == {"box": "ready", "web": "refused"}
    assert main_pid(user, "web.service") == before
    assert revision(user) == third

    push(own, flux_of(b"no tar"))
    sync(user)
    assert "a layer is no tar that gzip compressed" in source(user)["error"]
    assert active(user, "web.service", "box.service")
    user.systemctl("kill", "--signal=KILL", "web.service")
    user.wait_for(lambda: active(user, "web.service"), what="the last good revision, repaired")

    fourth = push(own, flux(web(4000)))
    assert sync(user).returncode == 0
    ready(user, "web")
    assert "error" not in source(user)
    user.podvisor("rollback", "web")
    user.wait_for(lambda: revision(user) == third, what="the one before")
    assert source(user)["revision"] == fourth
    assert "sleep 2000" in user.run("systemctl", "--user", "cat", "web.service").stdout


def test_a_push_is_deployed_at_once_where_the_registry_tells(user, own):
    push(own, flux(web(1000)))
    start(own, 'poll = "10m"', more=own.heard)
    ready(user, "web")
    user.wait_for(lambda: not status(user).get("queue"), what="rest")
    asked = len(own.requests())
    second = push(own, flux(web(2000)))
    user.wait_for(lambda: revision(user) == second, what="what was pushed")
    found = [one for one in own.requests()[asked:] if one.method in ("GET", "HEAD")]
    assert 1 <= len([one for one in found if one.method == "HEAD" and "/main" in one.path]) <= 3
    assert len([one for one in found if "/blobs/" in one.path and one.method == "GET"]) == 1
    assert f"pushed: {own.image(NAME)}:main" in user.podvisor("events").stdout
    # As it tells of what changes, it is asked seldom.
    user.wait_for(
        lambda: source(user).get("next_poll_at", 0) > time.time() + 900, what="a poll that is late"
    )
    assert "webhooks arrive: it is polled less often" in user.podvisor("events").stdout
    assert SECRET not in user.journal("podvisor.service") + str(events(user))


def test_a_login_is_needed_and_then_nothing_but_what_is_signed_counts(user, registry):
    own = OwnRegistry(user=user, shared=registry, port=user.port, private=True, tls=True).start()
    own.trust()
    ours, other = artifacts.new_key(), artifacts.new_key()
    user.write("cosign.pub", artifacts.public(ours))
    first = push(own, flux(web(1000)))
    start(own, 'verify = "cosign"', 'allowed_signers = "~/cosign.pub"')
    user.wait_for(lambda: "wants a login" in source(user).get("error", ""), what="a refusal")
    own.login()
    sync(user)
    assert "it is not signed" in source(user)["error"]
    assert states(user) == {}

    def sign(digest, *keys):
        made = artifacts.signature(f"sha256:{digest}", own.image(NAME), *keys)
        push(own, made, artifacts.signature_tag(f"sha256:{digest}"))

    sign(first, other)
    sync(user)
    assert "none of the keys" in source(user)["error"]
    sign(first, other, ours)
    assert sync(user).returncode == 0
    ready(user, "web")
    second = push(own, flux(web(2000)))
    sync(user)
    assert revision(user) == first
    made = artifacts.bundle(f"sha256:{second}", ours)
    push(own, made, "bundle")
    push(own, Pushed(artifacts.referrers(made), []), f"sha256-{second}", kind=artifacts.INDEX)
    user.wait_for(lambda: revision(user) == second, what="what is signed by now, without a word")
