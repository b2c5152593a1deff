"""What Podman secrets are called that hold a certificate, by the word of its `Secret=`."""

SECRET_ENDINGS = (".key", ".crt", "")
"""They hold `privkey.pem`; `fullchain.pem`; both of these as Kubernetes has them, for pods."""


def secrets_of(name: str) -> tuple[str, ...]:
    """Return the secrets of this name, in the order of their endings."""
    return tuple(f"{name}{ending}" for ending in SECRET_ENDINGS)


def certificate_secret(secret: str) -> str:
    """Return the name that a secret is of."""
    for ending in filter(None, SECRET_ENDINGS):
        secret = secret.removesuffix(ending)
    return secret
