"""Who has to have signed an app's images: `[X-Podvisor] VerifyImage=`."""

import pytest

from tests.core.images.test_public_key import ECDSA, ED25519
from tests.core.render.test_image_rules import NGINX, PINNED, container, read

KEY = ECDSA.decode()
VERIFY = ("VerifyImage=me.pub",)
AUTO = "AutoUpdate=registry"


def web(*lines: str, image: str = NGINX, own: tuple[str, ...] = VERIFY) -> dict[str, str]:
    return {"web.container": container(*lines, image=image, own=own), "me.pub": KEY}


def keys(texts: dict[str, str]) -> dict[str, str]:
    """Return the files of the keys, by unit."""
    reading = read(texts)
    assert not reading.findings
    return {unit.name: unit.verify.path for unit in reading.units if unit.verify}


def refused(texts: dict[str, str]) -> str:
    """Return why an app is refused that would run what nobody verifies."""
    reading = read(texts)
    (finding,) = reading.findings
    assert finding.fatal
    assert finding.line, "it is said where it stands"
    return str(finding)


def test_a_key_beside_the_unit():
    assert keys(web(AUTO)) == {"web.service": "me.pub"}
    assert keys(web(image=PINNED)) == {"web.service": "me.pub"}
    (unit,) = read(web(AUTO)).units
    assert unit.verify
    assert str(unit.verify) == f"me.pub (sha256:{unit.verify.fingerprint[:12]})"


def test_a_key_in_a_folder_and_a_link_to_one():
    texts = web(AUTO, own=("VerifyImage=./keys/me.pub",))
    texts["keys/me.pub"] = texts.pop("me.pub")
    assert keys(texts) == {"web.service": "keys/me.pub"}


def test_of_an_image_file_it_counts_for_all_who_use_it():
    image = f"[Image]\nImage={NGINX}\n[X-Podvisor]\nVerifyImage=me.pub\n"
    users = {"web.container": container(AUTO, image="nginx.image"), "me.pub": KEY}
    assert keys({**users, "nginx.image": image}) == {"nginx-image.service": "me.pub"}
    users["web.container"] = container(AUTO, image="nginx.image", own=VERIFY)
    image = image.replace("VerifyImage=me.pub\n", "")
    assert keys({**users, "nginx.image": image}) == {"nginx-image.service": "me.pub"}


def test_two_keys_for_one_image():
    texts = {
        "web.container": container(AUTO, image="nginx.image", own=VERIFY),
        "nginx.image": f"[Image]\nImage={NGINX}\n[X-Podvisor]\nVerifyImage=you.pub\n",
        "me.pub": KEY,
        "you.pub": ED25519.decode(),
    }
    assert "is to be signed with you.pub, and with me.pub" in refused(texts)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (web(), "may change after it was verified (write AutoUpdate=registry"),
        (web("AutoUpdate=local"), "what is built here comes from no registry"),
        (web(image="web.build"), "web.build makes the image here"),
        (web(image="other.image"), "other.image is of another app"),
        (web(image="oci:/srv/x"), "is no image of a registry"),
        (web(AUTO, own=("VerifyImage=../me.pub",)), "it is outside of the app's folder"),
        (web(AUTO, own=("VerifyImage=a/../../../me.pub",)), "it is outside of the app's folder"),
        (web(AUTO, own=("VerifyImage=you.pub",)), "it is not there"),
        (web(AUTO, own=("VerifyImage=/etc/me.pub",)), "write the path of .pub or .pem beside"),
        (web(AUTO, own=("VerifyImage=%h/me.pub",)), "write the path of .pub or .pem beside"),
        (web(AUTO, own=("VerifyImage=me.key",)), "write the path of .pub or .pem beside"),
        (web(AUTO) | {"me.pub": "no key"}, "it is no PEM"),
        (web(AUTO) | {"me.pub": KEY.replace("PUBLIC", "PRIVATE")}, "it holds a private key"),
        (web(AUTO) | {"me.pub": KEY * 100}, "it is larger than 16 KiB"),
    ],
)
def test_what_cannot_be_verified_is_refused(texts, why):
    assert why in refused(texts)


def test_a_misspelt_key_is_refused_as_well():
    assert "VerifyImage=" in refused(web(AUTO, own=("VerifyImages=me.pub",)))
