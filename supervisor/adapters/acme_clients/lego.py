"""lego's folder: accounts/SERVER/ID/ with account.json and a key; certificates/NAME.crt and others.

Version 4 keeps the key in keys/, version 5 beside account.json, in a folder for each type of key.
SERVER is the host of the directory alone.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from supervisor.adapters.acme_clients.certbot import first_email
from supervisor.adapters.acme_clients.folder import ClientFolder, MissingError, UnreadableError
from supervisor.adapters.acme_clients.raw import (
    OF_ACCOUNT,
    OF_CERTIFICATE,
    Found,
    IssuerSigns,
    RawAccount,
    RawCertificate,
)
from supervisor.model.client_folders import Client

_ACCOUNT = "account.json"


def is_legos(folder: ClientFolder) -> bool:
    """Whether it looks like one."""
    with suppress(UnreadableError):
        if any(one.suffix == ".json" for one in folder.files(folder.root / "certificates")):
            return True
    with suppress(UnreadableError):
        return any(_account_folders(folder))
    return False


def read(folder: ClientFolder, only: str = "") -> Iterator[Found]:
    """Yield what is there. Which account ordered a certificate is written nowhere."""
    certificates = folder.root / "certificates"
    try:
        files = [one for one in folder.files(certificates) if one.suffix == ".json"]
    except MissingError:
        files = []
    except UnreadableError as error:
        yield error.note
        files = []
    for path in files:
        if only in ("", path.stem):
            try:
                yield _certificate(folder, path)
            except UnreadableError as error:
                yield error.note
    try:
        accounts = [*_account_folders(folder)]
    except MissingError:
        return
    except UnreadableError as error:
        yield error.note
        return
    for one in accounts:
        try:
            yield _account(folder, one)
        except UnreadableError as error:
            yield error.note


def _certificate(folder: ClientFolder, path: Path) -> RawCertificate:
    about = folder.json(path)
    chain_path, key_path = path.with_suffix(".crt"), path.with_suffix(".key")
    chain = folder.text(chain_path)
    if chain.count("-----BEGIN CERTIFICATE-----") == 1:  # it was run with --no-bundle
        with suppress(MissingError):
            chain += folder.text(path.with_suffix(".issuer.crt"))
    return RawCertificate(
        client=Client.LEGO,
        path=str(chain_path),
        key_path=str(key_path),
        name=path.stem,
        issuer=IssuerSigns(url=str(about.get("certUrl") or about.get("certStableUrl") or "")),
        key=folder.secret(key_path, hint=OF_CERTIFICATE),
        chain=chain,
        domains=_words(about.get("domains")) or _words([about.get("domain")]),
    )


def _words(found: object) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _account_folders(folder: ClientFolder) -> Iterator[Path]:
    for server in folder.folders(folder.root / "accounts"):
        for account in folder.folders(server):
            if folder.has(account / _ACCOUNT):
                yield account
            yield from (one for one in folder.folders(account) if folder.has(one / _ACCOUNT))


def _account(folder: ClientFolder, path: Path) -> RawAccount:
    about = folder.json(path / _ACCOUNT)
    registration = about.get("registration")
    registration = registration if isinstance(registration, dict) else {}
    body = registration.get("body")
    body = body if isinstance(body, dict) else {}
    url = str(registration.get("uri") or registration.get("location") or "")
    server = path.relative_to(folder.root / "accounts").parts[0].replace("_", ":")
    keys = path / "keys" if folder.has(path / "keys") else path
    key_path = next((one for one in folder.files(keys) if one.suffix == ".key"), None)
    if key_path is None:
        raise UnreadableError(keys, "there is no key of the account in it")
    return RawAccount(
        client=Client.LEGO,
        path=str(key_path),
        issuer=IssuerSigns(url=url or f"https://{server}"),
        url=url,
        email=str(about.get("email") or first_email(body.get("contact"))),
        key=folder.secret(key_path, hint=OF_ACCOUNT),
        status=str(body.get("status", "")),
        written_at=folder.written_at(key_path),
    )
