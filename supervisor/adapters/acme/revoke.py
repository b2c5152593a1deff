"""Have an issuer declare a certificate void: a helper, which `issuer` asks."""

import time
from pathlib import Path

from acme import messages
from cryptography import x509
from josepy.errors import Error as JoseError
from josepy.jwk import JWK

from supervisor.adapters.acme.accounts import account_key, sign_in
from supervisor.adapters.acme.network import Network
from supervisor.adapters.acme.places import account_path
from supervisor.adapters.acme.refusals import Refused, of_error, refused
from supervisor.adapters.acme.replies import IssuerError
from supervisor.kit.helper import serve
from supervisor.model.acme import FailureKind, OrderAnswer, Revocation

_UNSPECIFIED = 0
_DONE = "alreadyRevoked"


def revoke(asked: Revocation) -> OrderAnswer:
    """Have it revoked, by the account that ordered it, or by its own key; no pair comes back."""
    try:
        _revoke(asked)
    except Refused as error:
        return OrderAnswer(refusal=error.refusal)
    except IssuerError as error:
        found = of_error(error, asked.order, doing="have the certificate revoked")
        return OrderAnswer(refusal=found.refusal)
    return OrderAnswer()


def _revoke(asked: Revocation) -> None:
    order = asked.order
    deadline = time.monotonic() + order.timeout_seconds
    try:
        certificate = x509.load_pem_x509_certificates(asked.chain.encode())[0]
        own = JWK.load(order.key.encode())
    except (ValueError, JoseError) as error:
        raise refused(FailureKind.REFUSED, "cannot revoke it: its files cannot be read") from error
    request = messages.Revocation(certificate=certificate, reason=_UNSPECIFIED)
    path = account_path(Path(order.accounts), order.issuer.directory)
    first: IssuerError | None = None
    for key in (account_key(path)[0] if path.exists() else None, own):
        if key is None:
            continue
        network = Network(order.issuer, key, deadline=deadline)
        directory = network.open()
        try:
            if key is not own:
                sign_in(network, directory, order, path, was_there=True, may_make=False)
            network.post(directory.revoke_cert, request)
        except IssuerError as error:
            if error.problem.word == _DONE:
                return
            first = first or error
        except Refused:
            if key is own:
                raise
        else:
            return
    if first is not None:
        raise of_error(first, order, doing="have the certificate revoked", account=str(path))


if __name__ == "__main__":
    serve(revoke, Revocation)
