"""Accounts at issuers: a key for each issuer, made once and kept."""

import contextlib
import os
import re
from pathlib import Path

from acme import messages
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from josepy.b64 import b64encode
from josepy.errors import Error as JoseError
from josepy.interfaces import JSONDeSerializable
from josepy.jwk import JWK

from supervisor.adapters.acme.network import Fields, Network
from supervisor.adapters.acme.refusals import odd, of_binding, of_error, refused
from supervisor.adapters.acme.replies import Account, Directory, IssuerError
from supervisor.core.x509.keys import key_pem, new_key, read_key
from supervisor.kit.files import write_whole
from supervisor.kit.texts import one_line
from supervisor.model.acme import AcmeIssuer, FailureKind, Order
from supervisor.model.certificate import KeyType

_IN_FORCE = "valid"
_BASE64URL = re.compile(r"(?:[A-Za-z0-9_-]{4})*[A-Za-z0-9_-]{2,4}={0,2}")


def account_key(path: Path) -> tuple[JWK, bool]:
    """Return the key that is kept there, which is made if there is none; and whether it was there.

    Of several processes that make one at a time, all get the same. Raises Refused.
    """
    try:
        was_there = path.exists()
        if not was_there:
            _make(path)
        path.chmod(0o600)
        text = path.read_text()
        read_key(text)
        key = JWK.load(text.encode())
        thumbprint(key)  # which not every curve has
    except (OSError, ValueError, TypeError, JoseError, UnsupportedAlgorithm) as error:
        why = getattr(error, "strerror", None) or "it holds no key in PEM"
        raise refused(
            FailureKind.PASSING if isinstance(error, OSError) else FailureKind.REFUSED,
            f"cannot use the account's key {path}: {why}",
            "put it back from a backup, or move it away: another account is made then",
        ) from error
    return key, was_there


def thumbprint(key: JWK) -> str:
    """Return what stands for a key in what proves a name (RFC 8555, section 8.1)."""
    return b64encode(key.thumbprint(hash_function=hashes.SHA256)).decode()


def sign_in(
    network: Network,
    directory: Directory,
    order: Order,
    path: Path,
    *,
    key: JWK,
    was_there: bool,
) -> Account:
    """Find the account, or make it; the network's requests are its own then. Raises Refused."""
    try:
        if was_there and (account := found(network, directory, order, path)):
            return account
        return _ask(network, directory, _application(key, directory, order), path)
    except IssuerError as error:
        why = of_error(error, order, doing="have an account")
        raise of_binding(why, order.issuer) if order.issuer.key_id else why from error


def found(network: Network, directory: Directory, order: Order, path: Path) -> Account | None:
    """Return the account that there is with this key; None if there is none: none is made.

    Raises Refused.
    """
    try:
        return _ask(network, directory, Fields(onlyReturnExisting=True), path)
    except IssuerError as error:
        if error.problem.word == "accountDoesNotExist":
            return None
        raise of_error(error, order, doing="use the account", account=str(path)) from error


def _ask(
    network: Network, directory: Directory, payload: JSONDeSerializable, path: Path
) -> Account:
    account, response = network.tell(directory.new_account, payload, Account)
    if account.status not in {"", _IN_FORCE}:
        raise refused(
            FailureKind.REFUSED,
            f"this machine's account at {network.issuer.name} is {one_line(account.status)}",
            f"move {path} away: another one is made then",
        )
    network.kid = response.headers.get("Location", "")
    if not network.kid:
        raise odd(network.issuer.name, "it names no account")
    return account


def may_have_one(directory: Directory, issuer: AcmeIssuer) -> None:
    """Raises Refused if an account needs more than the settings say."""
    if directory.meta.external_account_required and not issuer.key_id:
        raise refused(
            FailureKind.REFUSED,
            f"cannot have an account by {issuer.name}: the issuer wants an account with it to be"
            " named",
            f"set eab_key_id and eab_key in [certificates.issuers.{issuer.name}] of the settings",
        )
    if issuer.key_id and not _BASE64URL.fullmatch(issuer.key.strip()):
        raise refused(
            FailureKind.REFUSED,
            f"cannot have an account by {issuer.name}: its eab_key is not in base64url",
            "write it as the issuer shows it",
        )


def _application(key: JWK, directory: Directory, order: Order) -> messages.NewRegistration:
    """Agree to the terms, and show whose account this is to be."""
    issuer = order.issuer
    may_have_one(directory, issuer)
    binding = None
    if issuer.key_id:
        binding = messages.ExternalAccountBinding.from_data(
            key.public_key(),
            issuer.key_id,
            issuer.key.strip(),
            messages.Directory({"newAccount": directory.new_account}),
        )
    return messages.NewRegistration.from_data(
        email=issuer.email or None,
        external_account_binding=binding,
        terms_of_service_agreed=True,
    )


def _make(path: Path) -> None:
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    write_whole(scratch, key_pem(new_key(KeyType.ECDSA_P256)).encode())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        scratch.unlink()
