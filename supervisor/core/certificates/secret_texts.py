"""A certificate as Podman secrets: what stands in each."""

import base64
import json

from supervisor.model.acme import Pair
from supervisor.model.certificate_secret import secrets_of


def secret_texts(name: str, pair: Pair) -> dict[str, bytes]:
    """Return the secrets of this name, each with what it holds; as of `secrets_of`."""
    key, chain = pair.key.encode(), pair.chain.encode()
    of_kubernetes = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.key": base64.b64encode(key).decode(),
            "tls.crt": base64.b64encode(chain).decode(),
        },
    }
    texts = (key, chain, json.dumps(of_kubernetes, indent=1).encode())
    return dict(zip(secrets_of(name), texts, strict=True))
