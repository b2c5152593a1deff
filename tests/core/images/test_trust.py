"""What Podman's files have to say for it to verify images by a key."""

import json
from base64 import b64decode

import pytest

from supervisor.core.images.public_key import read_public_key
from supervisor.core.images.trust import NO_POLICY, OWN_FILE, attaching, trusting
from tests.core.images.test_public_key import ECDSA, ED25519

REPOSITORY = "ghcr.io/me/web"
KEY = read_public_key(ECDSA)


def test_a_policy_asks_for_the_key_and_says_all_else_as_before():
    reject = [{"type": "reject"}]
    before = {
        "transports": {"docker": {"": reject, "quay.io": reject}, "dir": {}},
        "default": reject,
    }
    text = trusting(json.dumps(before, indent=2), REPOSITORY, KEY)
    after = json.loads(text)
    (asked,) = after["transports"]["docker"].pop(REPOSITORY)
    assert json.dumps(after) == json.dumps(before), "in its order"
    assert b64decode(asked.pop("keyData")) == ECDSA
    assert asked == {"type": "sigstoreSigned", "signedIdentity": {"type": "matchRepository"}}
    other = trusting(text, REPOSITORY, read_public_key(ED25519))
    assert len(json.loads(other)["transports"]["docker"]) == 3, "it takes the place of the first"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"transports": []}', "\ufeff{}"])
def test_a_policy_that_cannot_be_changed(text):
    with pytest.raises(ValueError, match=r"."):
        trusting(text, REPOSITORY, KEY)


def test_signatures_are_looked_for_beside_the_image():
    text = attaching({}, REPOSITORY)
    assert text == (
        "# Written by podvisor trust: of these images, signatures lie beside them.\n"
        'docker:\n  "ghcr.io/me/web":\n    use-sigstore-attachments: true\n'
    )
    assert attaching({OWN_FILE: text}, REPOSITORY) is None
    assert attaching({OWN_FILE: text}, f"{REPOSITORY}/more") is None
    assert attaching({OWN_FILE: text}, "ghcr.io/me/db") == (
        text + '  "ghcr.io/me/db":\n    use-sigstore-attachments: true\n'
    )
    assert json.loads(NO_POLICY)


@pytest.mark.parametrize(
    ("text", "is_said"),
    [
        ("default-docker:\n  use-sigstore-attachments: true\n", True),
        ("docker:\n  ghcr.io:\n    use-sigstore-attachments: true\n", True),
        ("docker:\n  ghcr.io/me:\n    lookaside: file:///srv\n", False),
        ("docker:\n  ghcr.io/me:\n    use-sigstore-attachments: false\n", False),
        ("docker:\n  quay.io:\n    use-sigstore-attachments: true\n", False),
        ("docker: []\n", False),
        ("", False),
        ("- x\n", False),
    ],
)
def test_what_other_files_say_counts(text, is_said):
    assert (attaching({"other.yaml": text}, REPOSITORY) is None) == is_said


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("other.yaml", "docker:\n  ghcr.io/me/web:\n    lookaside: x\n", "other.yaml has an entry"),
        ("other.yaml", "{", "other.yaml is no YAML"),
        ("other.yaml", "[" * 5_000, "other.yaml is no YAML"),
        (OWN_FILE, "docker: {}\n", "podvisor.yaml is no YAML|podvisor.yaml does not end"),
        (OWN_FILE, "docker:\n  a:\n    lookaside: x\nother: 1\n", "no YAML|does not end"),
    ],
)
def test_what_is_for_a_person_to_mend(name, text, why):
    with pytest.raises(ValueError, match=why):
        attaching({name: text}, REPOSITORY)
