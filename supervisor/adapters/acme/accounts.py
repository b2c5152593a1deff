"""Accounts at issuers: a key for each issuer, made once and kept."""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from acme import messages
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from josepy.b64 import b64encode
from josepy.errors import Error as JoseError
from josepy.interfaces import JSONDeSerializable
from josepy.jwk import JWK

from supervisor.adapters.acme.account_record import (
    AccountRecord,
    read_record,
    tell_address,
    write_record,
)
from supervisor.adapters.acme.network import Fields, Network
from supervisor.adapters.acme.refusals import odd, of_binding, of_error, refused
from supervisor.adapters.acme.replies import Account, Directory, IssuerError
from supervisor.core.x509.keys import key_pem, new_key, read_key
from supervisor.kit.files import write_whole
from supervisor.kit.texts import one_line
from supervisor.model.acme import AcmeIssuer, FailureKind, Order
from supervisor.model.certificate import KeyType

_IN_FORCE = "valid"
_QUOTED = 200
_ANOTHER_SECONDS = 7 * 86_400.0
"""So soon no account is made in place of one that was."""
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


class SignedIn(NamedTuple):
    """An account that is in use."""

    account: Account
    notes: tuple[str, ...] = ()
    """What else is to be told of it, in sentences."""


class Closed(Exception):
    """The issuer takes nothing of the account any more; says why."""


def sign_in(
    network: Network,
    directory: Directory,
    order: Order,
    path: Path,
    *,
    was_there: bool,
    may_make: bool = True,
) -> SignedIn:
    """Find the account, or make it; the network's requests are its own then, and by its key.

    In place of one that was closed another one is made, with another key. Raises Refused.
    """
    name = order.issuer.name
    notes: tuple[str, ...] = ()
    try:
        if was_there:
            if account := found(network, directory, order, path):
                return SignedIn(account, tell_address(network, account, path))
            if not may_make:
                raise refused(
                    FailureKind.REFUSED, f"this machine has no account at {name} any more"
                )
            if read_record(path):
                why = "this machine's was not known any more"
                notes = (f"another account was made at {name}: {why}",)
        return SignedIn(_made(network, directory, order, path), notes)
    except Closed as closed:
        if not may_make:
            message = f"this machine's account at {name} is closed: {closed}"
            raise refused(FailureKind.REFUSED, message) from closed
        return _another(network, directory, order, path, why=str(closed))


def found(network: Network, directory: Directory, order: Order, path: Path) -> Account | None:
    """Return the account that there is with this key; None if there is none: none is made.

    Raises Closed or Refused.
    """
    try:
        return _ask(network, directory, Fields(onlyReturnExisting=True))
    except IssuerError as error:
        word = error.problem.word
        if word == "accountDoesNotExist":
            return None
        if word == "unauthorized":
            raise Closed(one_line(error.problem.detail, _QUOTED) or word) from error
        raise of_error(error, order, doing="use the account", account=str(path)) from error


def _made(network: Network, directory: Directory, order: Order, path: Path) -> Account:
    try:
        account = _ask(network, directory, _application(network.signer, directory, order))
    except IssuerError as error:
        why = of_error(error, order, doing="have an account")
        raise of_binding(why, order.issuer) if order.issuer.key_id else why from error
    write_record(path, AccountRecord(url=network.kid, email=order.issuer.email))
    return account


def _another(
    network: Network, directory: Directory, order: Order, path: Path, *, why: str
) -> SignedIn:
    """Have another account with another key, which is kept when there is one."""
    name, former = order.issuer.name, path.with_suffix(".former.pem")
    with _locked(path.parent):
        key, _ = account_key(path)
        if thumbprint(key) != thumbprint(network.signer):
            network.use(key)  # another process was first
            account = found(network, directory, order, path)
            return SignedIn(account or _made(network, directory, order, path))
        if former.exists() and abs(time.time() - former.stat().st_mtime) < _ANOTHER_SECONDS:
            raise refused(
                FailureKind.REFUSED,
                f"this machine's account at {name} was closed again ({why}): the one that was made"
                " in place of another",
                f"ask the issuer; another one is made in a week, or once {former} is moved away",
            )
        pem = key_pem(new_key(KeyType.ECDSA_P256)).encode()
        network.use(JWK.load(pem))
        try:
            account = _made(network, directory, order, path)
        except Closed as closed:
            message = f"cannot have an account by {name}: it is closed as soon as it is made"
            raise refused(FailureKind.REFUSED, f"{message} ({closed})") from closed
        write_whole(former, path.read_bytes())
        write_whole(path, pem)
    return SignedIn(
        account, (f"another account was made at {name}: this machine's was closed ({why})",)
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time do something there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _ask(network: Network, directory: Directory, payload: JSONDeSerializable) -> Account:
    account, response = network.tell(directory.new_account, payload, Account)
    if account.status not in {"", _IN_FORCE}:
        raise Closed(one_line(account.status))
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
