"""What registries send → names of images, and nothing worse whatever they send."""

import json
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.cli.local.default_file import docstrings
from supervisor.core.githost.host import Unreadable
from supervisor.core.images.reference import parse_reference
from supervisor.core.registryhost import payloads, proofs
from supervisor.core.registryhost.host import Said
from supervisor.core.registryhost.names import (
    NotAnImage,
    host_of,
    is_registry,
    pushed_image,
    split_reference,
)
from supervisor.core.registryhost.senders.registry import senders
from supervisor.model.webhook import Delivery
from tests.fakes import registry_webhooks as sent
from tests.fakes.webhooks import SECRET, as_json

PUSHES = pytest.mark.parametrize(("sender", "payload", "headers", "image"), sent.PUSHES.values())


def read(sender, payload, headers=None, *, registry=None):
    body = payload if isinstance(payload, bytes) else as_json(payload)
    if registry is None:
        registry = sent.REGISTRY.get(sender, "")
    return payloads.read(
        senders()[sender], Delivery(headers=headers or {}, body=body), registry=registry
    )


def fault(sender, body, headers):
    signature = senders()[sender].signature
    return signature.fault(Delivery(headers=headers, body=body), secret=SECRET, times=())


@PUSHES
def test_a_push_names_its_image_as_podman_does(sender, payload, headers, image):
    news = read(sender, payload, headers)
    assert news.images == (image,)
    assert not news.ignored


@PUSHES
def test_the_settings_know_the_registrys_name_better(sender, payload, headers, image):
    (one,) = read(sender, payload, headers, registry="mirror.example.org:5001").images
    assert one == f"mirror.example.org:5001/{image.partition('/')[2]}"


@pytest.mark.parametrize("host", senders().values(), ids=senders())
def test_a_signature_is_told_of_by_what_it_signs(host):
    of = "a" * 64
    headers, body = host.sample(Said("registry.example.org", "me/web", f"sha256-{of}.sig"))
    news = read(host.name, body, headers, registry="registry.example.org")
    assert news.signed == (f"registry.example.org/me/web@sha256:{of}",)
    assert not news.images
    assert not news.ignored


@PUSHES
def test_it_proves_itself_as_it_can(sender, payload, headers, image):
    body = as_json(payload)
    proof = sent.proof(sender, body)
    if senders()[sender].signature is None:
        assert not proof
        return
    assert fault(sender, body, proof) == ""
    assert fault(sender, body, sent.proof(sender, body, secret=b"another")) != ""
    assert fault(sender, body, {}).startswith("it has no ")
    assert fault(sender, body, dict.fromkeys(proof, "Basic %%% é\xff")) != ""


@pytest.mark.parametrize("host", senders().values(), ids=senders())
def test_podvisors_own_test_is_what_the_sender_sends(host):
    headers, body = payloads.sample(host, registry="registry.example.org")
    if host.signature:
        own = host.signature.sign(body, secret=SECRET, delivery="d", time=0.0)
        assert host.signature.fault(
            Delivery(headers={**headers, **own}, body=body), secret=SECRET, times=()
        ) == ("")
    news = payloads.read(host, Delivery(headers=headers, body=body), registry="")
    if host.tells_host:
        (image,) = news.images
        assert image.partition("/")[2].startswith("podvisor/test")
    else:
        assert news.ignored == "it does not say of which registry it is"


@pytest.mark.parametrize("name", senders())
def test_the_settings_name_it(name):
    assert f"`{name}`" in docstrings()["RegistryWebhookSettings"][1]["sender"]


@pytest.mark.parametrize("host", senders().values(), ids=senders())
def test_its_form_can_be_filled_in(host):
    own = {"url": "u", "secret": "s", "registry": "r"}
    for text in (*host.form.fields.values(), *host.form.text):
        assert text.format(**own)


EVENT = sent.distribution_event
VERSION = ("package", "package_version")
METADATA = (*VERSION, "container_metadata")


@pytest.mark.parametrize(
    ("sender", "payload", "headers", "why"),
    [
        # Distribution: own questions, removals, blobs, one platform, a chart, an attestation
        ("distribution", {"events": [EVENT("pull")]}, {}, "no image that was pushed"),
        ("distribution", {"events": [EVENT("delete", tag=None)]}, {}, "no image that was pushed"),
        ("distribution", {"events": [EVENT(media_type="x/blob")]}, {}, "no image that was pushed"),
        ("distribution", {"events": [EVENT(tag=None)]}, {}, "a manifest without a tag"),
        ("distribution", {"events": [EVENT(references=[{"mediaType": sent.CHART}])]}, {}, "no im"),
        (
            "distribution",
            {"events": [EVENT(tag=f"sha256-{'a' * 64}.att")]},
            {},
            "an attestation",
        ),
        ("distribution", {"events": []}, {}, "no image that was pushed"),
        ("distribution", {"events": None}, {}, "no image that was pushed"),
        ("distribution", {"events": [EVENT(repository="../../etc")]}, {}, "names no image"),
        # GHCR
        ("ghcr", sent.changed(sent.GHCR, *METADATA, "tag", "name", to=""), "package", None),
        ("ghcr", sent.changed(sent.GHCR, "action", to="deleted"), "package", "nothing was pushed"),
        (
            "ghcr",
            sent.changed(sent.GHCR, *METADATA, "manifest", "config", "media_type", to=sent.CHART),
            "package",
            "it is no image but",
        ),
        ("ghcr", {}, "push", "it is no package but “push”"),
        # Docker Hub, Harbor, Quay
        ("docker-hub", sent.changed(sent.DOCKER_HUB, "push_data", "tag", to=None), {}, "without"),
        ("harbor", {**sent.HARBOR, "type": "PULL_ARTIFACT"}, {}, "no push but “PULL_ARTIFACT”"),
        ("harbor", {**sent.HARBOR, "type": "UPLOAD_CHART"}, {}, "no push but “UPLOAD_CHART”"),
        ("harbor", {**sent.HARBOR_CLOUD, "type": "harbor.artifact.deleted"}, {}, "no push but"),
        (
            "harbor",
            sent.changed(sent.HARBOR, "event_data", "resources", 0, "tag", to=sent.DIGEST),
            {},
            "a manifest without a tag",
        ),
        ("quay", {"docker_url": "quay.io/me/web", "build_id": "1"}, {}, "no push of a tag"),
        # Gitea and Forgejo
        ("gitea", {**sent.GITEA, "action": "deleted"}, "package", "nothing was pushed: “deleted”"),
        (
            "gitea",
            sent.changed(sent.GITEA, "package", "type", to="npm"),
            "package",
            "it is no container but “npm”",
        ),
        (
            "gitea",
            sent.changed(sent.GITEA, "package", "version", to=sent.DIGEST),
            "package",
            "a manifest without a tag",
        ),
        ("gitea", {"ref": "refs/heads/main"}, "push", "it is no package but “push”"),
        # zot
        ("zot", sent.ZOT, {"ce-type": "zotregistry.image.deleted"}, "no image was pushed"),
        ("zot", sent.ZOT, {"ce-type": "zotregistry.repository.created"}, "no image was pushed"),
        (
            "zot",
            {**sent.ZOT, "manifest": json.dumps({"config": {"mediaType": sent.CHART}})},
            {"ce-type": "org.example.image.updated"},
            "it is no image but",
        ),
        (
            "zot",
            {**sent.ZOT, "reference": sent.DIGEST},
            {"ce-type": "zotregistry.image.updated"},
            "a manifest without a tag",
        ),
    ],
)
def test_what_nobody_could_run_is_no_news(sender, payload, headers, why):
    if isinstance(headers, str):
        headers = {"x-github-event": headers}
    if why is None:  # no tag, as its URL has none either: how single platforms come
        payload = sent.changed(payload, *VERSION, "package_url", to="ghcr.io/Me/web:")
        why = "a manifest without a tag"
    news = read(sender, payload, headers)
    assert not news.images
    assert why in news.ignored


@pytest.mark.parametrize("sender", ["ghcr", "generic"])
def test_a_ping_is_one(sender):
    assert read(sender, b"{}", {"x-github-event": "ping", "x-event": "ping"}).is_ping


def test_github_may_send_a_form():
    body = urlencode({"payload": json.dumps(sent.GHCR)}).encode()
    headers = {
        "x-github-event": "package",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    assert read("ghcr", body, headers).images == ("ghcr.io/me/web",)


def test_a_storm_in_one_body_is_a_few_names():
    many = {"events": [EVENT(tag=f"v{number}") for number in range(5_000)]}
    assert len(read("distribution", many).images) == 64
    same = {"events": [EVENT()] * 5_000}
    assert len(read("distribution", same).images) == 1


def test_zot_may_send_the_whole_event_in_the_body():
    event = {"specversion": "1.0", "type": "zotregistry.image.updated", "data": sent.ZOT}
    assert read("zot", event).images == ("zot.example.org/me/web:1.4",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=20,
)


@st.composite
def hostile(draw):
    """A payload of some sender, with something else in one place of it."""
    sender, payload, headers, _ = draw(st.sampled_from(list(sent.PUSHES.values())))
    path, place = [], payload
    while isinstance(place, dict | list) and place and draw(st.integers(0, 4)):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        path.append(draw(st.sampled_from(keys)))
        place = place[path[-1]]
    body = sent.changed(payload, *path, to=draw(JSON)) if path else draw(JSON)
    return sender, as_json(body), headers


@given(hostile())
@example(("harbor", b"[" * 100_000, {}))
@example(("harbor", b'{"type": ' * 100_000, {}))
@example(("zot", b"\xff", {"ce-type": "zotregistry.image.updated"}))
@example(("quay", b'{"updated_tags": {"\\ud800": 1}, "docker_url": "quay.io/a/b"}', {}))
@example(("quay", b'{"updated_tags": ["a"], "docker_url": "http://[::/a"}', {}))
@example(("gitea", b'{"action":"created","package":{"html_url":"http://["}}', {}))
def test_whatever_comes_names_images_or_is_unreadable(one):
    sender, body, headers = one
    try:
        news = read(sender, body, headers)
    except Unreadable:
        return
    assert bool(news.images) != bool(news.ignored or news.is_ping)
    assert news.ignored.isprintable()
    for image in news.images:
        reference = parse_reference(image)
        assert reference.host
        assert image in {reference.repository, str(reference)}, "names are in their normal form"


@given(st.binary(max_size=200), st.sampled_from(list(senders())))
def test_what_is_no_json_is_unreadable_or_no_news(body, sender):
    with suppress(Unreadable):
        assert not read(sender, body, {"x-github-event": "package"}).images


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ghcr.io/Me/web:", ("ghcr.io", "Me/web", "")),
        ("localhost:5000/web:1", ("localhost:5000", "web", "1")),
        ("localhost/web", ("localhost", "web", "")),
        ("me/web:1", ("", "me/web", "1")),
        ("https://quay.io/me/web", ("quay.io", "me/web", "")),
        ("a.example/web@sha256:00", ("a.example", "web", "sha256:00")),
        ("web", ("", "web", "")),
        ("", ("", "", "")),
    ],
)
def test_a_reference_is_parted_as_podman_does(text, parts):
    assert split_reference(text) == parts


@pytest.mark.parametrize(
    ("parts", "image"),
    [
        (("docker.io", "nginx", "1"), "docker.io/library/nginx:1"),
        (("index.docker.io", "me/web", "1"), "docker.io/me/web:1"),
        (("GHCR.io", "Me/Web", "V1"), "ghcr.io/me/web:V1"),
        (("[::1]:5000", "web", "1"), "[::1]:5000/web:1"),
    ],
)
def test_names_become_podmans(parts, image):
    assert pushed_image(*parts) == image


@pytest.mark.parametrize(
    "parts",
    [
        ("", "web", "1"),
        ("a b", "web", "1"),
        ("example.org:5000:1", "web", "1"),
        ("registry", "web", "1"),
        ("example.org", "", "1"),
        ("example.org", "we b", "1"),
        ("example.org", "a/../b", "1"),
        ("example.org", "a" * 256, "1"),
        ("example.org", "web", ""),
        ("example.org", "web", "a/b"),
        ("example.org", "web", "a" * 129),
        ("example.org", "web", "٣"),
    ],
)
def test_what_is_no_image_is_not_taken_for_one(parts):
    with pytest.raises(NotAnImage):
        pushed_image(*parts)


def test_hosts_of_urls():
    assert host_of("https://me:secret@git.example.org:3000/x") == "git.example.org:3000"
    assert host_of("file:///x") == host_of("http://[") == host_of("") == ""
    assert is_registry("example.org:5000")
    assert is_registry("localhost")
    assert is_registry("docker.io")
    for text in ("https://example.org", "example.org/x", "registry", "a b.c", ""):
        assert not is_registry(text)


def test_the_token_of_a_path_follows_from_secret_and_name():
    token = proofs.path_token(SECRET, "hub")
    assert len(token) == 32
    assert proofs.is_token(token, secret=SECRET, name="hub")
    for said, name in ((token, "quay"), (token[:-1], "hub"), ("", "hub"), ("é", "hub")):
        assert not proofs.is_token(said, secret=SECRET, name=name)
    assert not proofs.is_token(token, secret=b"another", name="hub")
