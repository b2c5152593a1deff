"""Words of Podman 5.4 and 5.8 on pulls that failed, as both said them on a real host."""

import json
import time
from base64 import b64encode
from pathlib import Path

import pytest

from supervisor.adapters.podman.pull_errors import failure_of, registry_of
from supervisor.adapters.podman.signature_policy import demanded, policy_files, signature_rule
from supervisor.core.images.public_key import fingerprint, public_keys
from supervisor.core.images.trust import attaching
from supervisor.model.errors import Retry, Stalled
from supervisor.model.image import SignatureDemand
from supervisor.model.podman import Mirror, RegistryRule

DIGEST = "sha256:" + "7" * 64
ON_FORKY = "unable to copy from source docker://quay.io/a/b:1: "


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("manifest unknown", Stalled),
        ("reading manifest x in docker.io/library/y: errors:\ndenied: requested access", Stalled),
        ("unauthorized: authentication required", Stalled),
        ("name unknown: repository not found", Stalled),
        ("repository name must be lowercase", Stalled),
        ("no image found in manifest list for architecture arm64", Stalled),
        ("tls: failed to verify certificate: x509: unknown authority", Stalled),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit", Retry),
        ("dial tcp: lookup quay.io: no such host", Retry),
        ("received unexpected HTTP status: 503 Service Unavailable", Retry),
        ("fetching blob: received unexpected HTTP status: 502 Bad Gateway", Retry),
        ("net/http: TLS handshake timeout", Retry),
        ("connect: connection refused", Retry),
        ("write /var/tmp/x: no space left on device", Retry),
        ("unexpected EOF", Retry),
        ("something new", Retry),
        ("", Retry),
    ],
)
def test_who_can_mend_a_failed_pull(words: str, kind: type[Exception]) -> None:
    failure = failure_of("quay.io/a/b:1", words)
    assert type(failure) is kind
    assert str(failure).startswith("cannot pull quay.io/a/b:1: ")


def test_hints_name_the_registry() -> None:
    failure = failure_of("ghcr.io/a/b:1", "denied")
    assert isinstance(failure, Stalled)
    assert failure.hint.startswith("podman login ghcr.io")
    assert registry_of("nginx") == "docker.io"
    assert registry_of("library/nginx") == "docker.io"
    assert registry_of("localhost:5000/x") == "localhost:5000"
    assert registry_of("localhost/x") == "localhost"


@pytest.mark.parametrize("wrapping", ["", ON_FORKY])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            (
                'writing blob: adding layer with blob "sha256:1"/""/"sha256:2": unpacking failed '
                "(error: exit status 1; output: write /a: no space left on device)"
            ),
            "the disk filled up in the middle of it: ",
        ),
        (
            (
                'writing blob: storing blob to file "/var/tmp/x/2": happened during read: ('
                "heuristic tuning data: total 140 @3251.861 ms): unexpected EOF"
            ),
            "the network broke off in the middle: unexpected EOF",
        ),
        (
            (
                "choosing an image from manifest list docker://quay.io/a/b:1: no image found in "
                'image index for architecture "amd64", variant "", OS "linux"'
            ),
            "no image found in image index for architecture",
        ),
        (
            (
                "initializing source docker://quay.io/a/b:1: pinging container registry quay.io: "
                'Get "https://quay.io/v2/": http: server gave HTTP response to HTTPS client'
            ),
            "http: server gave HTTP response to HTTPS client",
        ),
    ],
)
def test_what_happened_is_said_plainly(wrapping: str, words: str, said: str) -> None:
    assert str(failure_of("quay.io/a/b:1", wrapping + words)).startswith(
        f"cannot pull quay.io/a/b:1: {said}"
    )


@pytest.mark.parametrize(
    "babble",
    [
        "copying blob ",
        "repository ",
        "does not match ",
        'Get "',
        "Source image rejected: open x",
        "reading manifest a in b",
        "no\nend\x1b ",
    ],
)
def test_what_a_registry_says_at_length_is_neither_read_nor_said_whole(babble: str) -> None:
    began = time.process_time()
    failure = failure_of("quay.io/a/b:1", babble * ((1 << 20) // len(babble)))
    assert time.process_time() - began < 0.5
    assert len(str(failure)) < 1_200
    assert str(failure).isprintable()


def test_of_many_words_the_first_and_the_last_count() -> None:
    words = f"copying blob x: {'y' * (1 << 20)}: unexpected EOF"
    said = "cannot pull a: the network broke off in the middle: unexpected EOF"
    assert str(failure_of("a", words)) == said


def test_a_digest_that_the_registry_lost() -> None:
    image = f"quay.io/a/b@{DIGEST}"
    words = f"initializing source docker://{image}: reading manifest {DIGEST} in quay.io/a/b: "
    failure = failure_of(image, words + "manifest unknown")
    assert type(failure) is Stalled
    assert "does not have it any more" in str(failure)
    assert type(failure_of(image, words + "received 503 Service Unavailable")) is Retry


def policy(folder: Path, *asked: object, scope: str = "quay.io/a") -> Path:
    path = folder / "policy.json"
    docker = {scope: asked}
    path.write_text(json.dumps({"default": [{"type": "reject"}], "transports": {"docker": docker}}))
    return path


COSIGN = {"type": "sigstoreSigned", "keyPath": "/etc/pki/me.pub"}


@pytest.mark.parametrize(
    ("asked", "words", "said", "hint"),
    [
        (
            {"type": "reject"},
            "Running image docker://quay.io/a/b:1 is rejected by policy.",
            "lets nobody pull it",
            "man containers-policy.json",
        ),
        (
            COSIGN,
            "A signature was required, but no signature exists",
            "asks for a signature with the key /etc/pki/me.pub, and it has none",
            "use-sigstore-attachments: true for quay.io/a/b",
        ),
        (
            COSIGN,
            "open /etc/pki/me.pub: no such file or directory",
            "that key cannot be read: /etc/pki/me.pub: no such file",
            "put the publisher's public key there",
        ),
        (
            COSIGN,
            "open /etc/pki/me.pub: permission denied",
            "that key cannot be read: /etc/pki/me.pub: permission denied",
            "put the publisher's public key there",
        ),
        (
            COSIGN,
            "cryptographic signature verification failed: invalid signature when validating ASN.1",
            "asks for a signature with the key /etc/pki/me.pub, and somebody else signed it",
            "policy.json",
        ),
        (COSIGN, "parsing public key 1: PEM decoding failed", "that is no public key", ""),
        (
            COSIGN | {"signedIdentity": {"type": "matchExact"}},
            'Signature for identity "quay.io/a/b:1" is not accepted',
            'Signature for identity "quay.io/a/b:1" is not accepted',
            "matchRepoDigestOrExact",
        ),
        (
            {
                "type": "sigstoreSigned",
                "fulcio": {"oidcIssuer": "https://github.com", "subjectEmail": "me@example.org"},
            },
            "A signature was required, but no signature exists",
            "asks for a signature by me@example.org, known to https://github.com",
            "",
        ),
    ],
)
def test_who_should_have_signed(
    tmp_path: Path, asked: object, words: str, said: str, hint: str
) -> None:
    path = policy(tmp_path, asked)
    failure = failure_of(
        "quay.io/a/b:1", f"{ON_FORKY}Source image rejected: {words}", policies=[path]
    )
    assert f'{path}, "docker" "quay.io/a"' in str(failure)
    assert said in str(failure)
    assert hint in failure.hint


def test_what_has_no_signature_may_get_one(tmp_path: Path) -> None:
    """Whoever publishes images signs them once they are pushed."""
    path = policy(tmp_path, COSIGN)
    for words, kind in (
        ("A signature was required, but no signature exists", Retry),
        ("cryptographic signature verification failed", Stalled),
    ):
        said = f"{ON_FORKY}Source image rejected: {words}"
        assert type(failure_of("quay.io/a/b:1", said, policies=[path])) is kind


def test_what_is_signed_under_another_name(tmp_path: Path) -> None:
    """As skopeo does it at a mirror, unless it is told the image's own name."""
    path = policy(tmp_path, COSIGN | {"signedIdentity": {"type": "matchRepository"}})
    words = 'Source image rejected: Signature for identity "m.example/b:1" is not accepted'
    failure = failure_of("quay.io/a/b:1", words, policies=[path])
    assert isinstance(failure, Stalled)
    assert 'Signature for identity "m.example/b:1" is not accepted' in str(failure)
    assert failure.hint.startswith("have it signed under the name quay.io/a/b (skopeo copy --sign-")
    assert "man containers-policy.json" in failure.hint


def test_signatures_are_looked_for_where_an_image_is_fetched(tmp_path: Path) -> None:
    rejected = "Source image rejected: A signature was required, but no signature exists"
    rule = RegistryRule(prefix="quay.io", mirrors=(Mirror(location="localhost:5000/quay"),))
    path = policy(tmp_path, COSIGN)
    failure = failure_of("quay.io/a/b:1", rejected, policies=[path], rules=[rule])
    said = "says use-sigstore-attachments: true for localhost:5000/quay/a/b and quay.io/a/b"
    assert said in failure.hint
    assert "with the mirror" in failure.hint
    alone = failure_of("quay.io/a/b:1", rejected, policies=[path])
    assert alone.hint.endswith("use-sigstore-attachments: true for quay.io/a/b")


def test_what_podvisor_trust_has_written_is_not_asked_for(tmp_path: Path) -> None:
    rejected = "Source image rejected: A signature was required, but no signature exists"
    rule = RegistryRule(prefix="quay.io", mirrors=(Mirror(location="localhost:5000/quay"),))
    path = policy(tmp_path, COSIGN)
    own = path.parent / "registries.d/podvisor.yaml"
    own.parent.mkdir()
    own.write_text(attaching({}, "quay.io/a/b") or "")
    told = failure_of("quay.io/a/b:1", rejected, policies=[path]).hint
    assert told.startswith("have it signed (cosign 3: ")
    assert "registries.d" not in told
    for image, rules in (("quay.io/a/b:1", [rule]), ("quay.io/a/c:1", [])):
        other = failure_of(image, rejected, policies=[path], rules=rules)
        assert "where registries.d says" in other.hint


@pytest.mark.parametrize("wrapping", ["", ON_FORKY])
def test_of_a_list_the_platforms_own_image_has_to_be_signed(tmp_path: Path, wrapping: str) -> None:
    path = policy(tmp_path, COSIGN)
    rejected = "Source image rejected: A signature was required, but no signature exists"
    listed = f"{wrapping}copying system image from manifest list: {rejected}"
    failure = failure_of("quay.io/a/b:1", listed, policies=[path])
    assert isinstance(failure, Retry)
    assert "what its list has for this platform has none that Podman finds" in str(failure)
    assert "cosign sign --recursive" in failure.hint
    alone = failure_of("quay.io/a/b:1", wrapping + rejected, policies=[path])
    assert "and it has none that Podman finds" in str(alone)
    assert "--recursive" not in alone.hint


@pytest.mark.parametrize(
    ("scope", "image", "counts"),
    [
        ("quay.io/a/b:1", "quay.io/a/b:1", True),
        ("quay.io/a/b", "quay.io/a/b:1", True),
        (f"quay.io/a/b@{DIGEST}", f"quay.io/a/b@{DIGEST}", True),
        ("quay.io", f"quay.io/a/b@{DIGEST}", True),
        ("*.example.org", "registry.eu.example.org/b:1", True),
        ("", "quay.io/a/b:1", True),
        ("quay.io/a/b:2", "quay.io/a/b:1", False),
        ("quay.io/a/bb", "quay.io/a/b:1", False),
        ("docker.io/library", "docker.io/nginx", True),
    ],
)
def test_the_narrowest_scope_counts(
    tmp_path: Path, scope: str, image: str, *, counts: bool
) -> None:
    rule = signature_rule(image, [policy(tmp_path, COSIGN, scope=scope)])
    assert rule
    assert (rule.signers == "with the key /etc/pki/me.pub") is counts


ME = b"""\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
YOU = ME.replace(b"Gb9E", b"Gb9F")
ME_ID, YOU_ID = (fingerprint(public_keys(key)[0]) for key in (ME, YOU))
DATA = {"type": "sigstoreSigned", "keyData": b64encode(ME).decode()}


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ([DATA], {ME_ID}),
        ([{"type": "sigstoreSigned", "keyPath": "TMP/me.pub"}], {ME_ID}),
        ([{"type": "sigstoreSigned", "keyPaths": ["TMP/me.pub", "TMP/me2.pub"]}], {ME_ID}),
        ([DATA, {"type": "sigstoreSigned", "keyPath": "TMP/you.pub"}], {ME_ID, YOU_ID}),
        # Either is enough for Podman: neither is asked for.
        ([{"type": "sigstoreSigned", "keyPaths": ["TMP/me.pub", "TMP/you.pub"]}], set()),
        ([{"type": "sigstoreSigned", "keyPath": "TMP/none.pub"}], set()),
        ([{"type": "sigstoreSigned", "keyPath": "me.pub"}], set()),
        ([{"type": "sigstoreSigned", "keyData": "%"}], set()),
        ([{"type": "signedBy", "keyPath": "TMP/me.pub"}], set()),
        ([{"type": "insecureAcceptAnything"}], set()),
        ([{"type": "reject"}], set()),
        ([], set()),
    ],
)
def test_whose_signature_is_demanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[object], keys: set[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, key in (("me", ME), ("me2", b"by me\n" + ME), ("you", YOU)):
        (tmp_path / f"{name}.pub").write_bytes(key)
    path = policy(tmp_path, *asked)
    path.write_text(path.read_text().replace("TMP", str(tmp_path)))
    image = f"quay.io/a/b@{DIGEST}"
    assert demanded(image, [tmp_path / "none.json", path]).keys == keys
    assert demanded(image, [path]).place == f'{path}, "docker" "quay.io/a"'
    assert not demanded("quay.io/b/b:1", [path]).keys


def test_nobody_is_demanded_where_that_cannot_be_told(tmp_path: Path) -> None:
    """Then it is not run: only what is known to be asked for counts."""
    broken = tmp_path / "policy.json"
    broken.write_text("{bad")
    for files in ([broken], [tmp_path / "none"], []):
        assert demanded("quay.io/a/b:1", files) == SignatureDemand(place="Podman's policy.json")


def test_the_default_of_a_transport_counts_before_that_of_all(tmp_path: Path) -> None:
    rule = signature_rule("quay.io/a/b:1", [policy(tmp_path, COSIGN, scope="")])
    assert rule
    assert rule.place.endswith('"docker" ""')
    rule = signature_rule("quay.io/a/b:1", [policy(tmp_path, COSIGN, scope="ghcr.io")])
    assert rule
    assert rule.place.endswith('"default"')


def test_a_policy_that_cannot_be_read_takes_nothing_from_the_words(tmp_path: Path) -> None:
    broken = tmp_path / "policy.json"
    broken.write_text("{bad")
    for files in ([broken], [tmp_path / "none"], [tmp_path], []):
        failure = failure_of("x", "Source image rejected: new words", policies=files)
        assert str(failure) == (
            "cannot pull x: Podman's policy.json asks for a signature, and somebody else signed it:"
            " new words"
        )
    assert policy_files(tmp_path)[0] == tmp_path / ".config/containers/policy.json"
