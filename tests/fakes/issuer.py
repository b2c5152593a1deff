"""An issuer of OIDC tokens on this machine, with keys of its own."""

import base64
import json
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fakes.web import Web

PLACE = "/_services/token"
CONFIGURATION = f"{PLACE}/.well-known/openid-configuration"
KEYS = f"{PLACE}/keys"


class Issuer:
    """Serves its configuration and its keys over `web`."""

    def __init__(self, keys: Sequence[Mapping[str, object]]) -> None:
        self.web = Web()
        self.url = f"{self.web.url}{PLACE}"
        self.publish(keys)

    @property
    def asked(self) -> list[str]:
        """The paths that it was asked for."""
        return [path for path, _ in self.web.asked]

    def publish(self, keys: Sequence[Mapping[str, object]]) -> None:
        place = {"issuer": self.url, "jwks_uri": f"{self.web.url}{KEYS}"}
        self.web.answers[CONFIGURATION] = json.dumps(place).encode()
        self.web.answers[KEYS] = json.dumps({"keys": keys}).encode()


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def jwk(key: rsa.RSAPrivateKey, name: str = "k1", **more: object) -> dict[str, object]:
    """Return a key's public half as an issuer publishes it."""
    modulus = key.public_key().public_numbers().n
    return {
        "kid": name,
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "x5t": "x",
        "x5c": ["x"],
        "n": encoded(modulus.to_bytes((modulus.bit_length() + 7) // 8)),
        "e": "AQAB",
        **more,
    }


def token(key: rsa.RSAPrivateKey, text: str = "head.claims") -> str:
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
