"""certbot's folder: accounts/SERVER/ID/, live/NAME/ with links into archive/, renewal/NAME.conf."""

import re
from collections.abc import Iterator
from pathlib import Path

from supervisor.adapters.acme_clients.folder import ClientFolder, MissingError, UnreadableError
from supervisor.adapters.acme_clients.raw import (
    OF_ACCOUNT,
    OF_CERTIFICATE,
    Found,
    IssuerSigns,
    RawAccount,
    RawCertificate,
)
from supervisor.model.certificate import Challenge
from supervisor.model.client_folders import Client

_SETTING = re.compile(r"^\s*([a-z0-9_]+)\s*=\s*(.*?)\s*$")
_DEEPEST = 8
"""Folders that the URL of a directory makes."""
_KEY = "private_key.json"
_NUMBERED = re.compile(r"privkey([0-9]{1,9})\.pem")


def is_certbots(folder: ClientFolder) -> bool:
    """Whether it looks like one."""
    root = folder.root
    if any(folder.has(root / name) for name in ("renewal", "live", "archive")):
        return True
    try:
        return any(_account_folders(folder, root / "accounts", _DEEPEST))
    except UnreadableError:
        return False


def read(folder: ClientFolder, only: str = "") -> Iterator[Found]:
    """Yield what is there."""
    certificates = [*_certificates(folder, only)]
    yield from certificates
    ordered_by = {one.account for one in certificates if isinstance(one, RawCertificate)}
    for account in _accounts(folder):
        if not only or not isinstance(account, RawAccount) or account.id in ordered_by:
            yield account


def _accounts(folder: ClientFolder) -> Iterator[Found]:
    accounts = folder.root / "accounts"
    try:
        found = [*_account_folders(folder, accounts, _DEEPEST)]
    except MissingError:
        return
    except UnreadableError as error:
        yield error.note
        return
    for one in found:
        try:
            yield _account(folder, one, accounts)
        except UnreadableError as error:
            yield error.note


def _account_folders(folder: ClientFolder, path: Path, deep: int) -> Iterator[Path]:
    """Yield folders with a key; what cannot be looked into is one too, to be told of."""
    for one in folder.folders(path):
        if folder.has(one / _KEY):
            yield one
        elif deep:
            try:
                yield from _account_folders(folder, one, deep - 1)
            except UnreadableError:
                yield one


def _account(folder: ClientFolder, path: Path, accounts: Path) -> RawAccount:
    key_path = path / _KEY
    key = folder.secret(key_path, hint=OF_ACCOUNT)
    registration = _object(folder, path / "regr.json")
    body = registration.get("body")
    contact = body.get("contact") if isinstance(body, dict) else None
    server = path.relative_to(accounts).parent
    return RawAccount(
        client=Client.CERTBOT,
        path=str(key_path),
        issuer=IssuerSigns(directory=f"https://{server}"),
        url=str(registration.get("uri", "")),
        email=first_email(contact),
        key=key,
        written_at=folder.written_at(key_path),
        id=path.name,
    )


def _object(folder: ClientFolder, path: Path) -> dict[str, object]:
    """Return what stands beside a key; without it, the key does."""
    try:
        return folder.json(path)
    except MissingError:
        return {}


def first_email(contact: object) -> str:
    """Return the address in an account's `contact` (RFC 8555, section 7.1.2)."""
    for one in contact if isinstance(contact, list) else ():
        if isinstance(one, str) and one.startswith("mailto:"):
            return one.removeprefix("mailto:")
    return ""


def _certificates(folder: ClientFolder, only: str) -> Iterator[Found]:
    root = folder.root
    names: dict[str, Path] = {}
    for place in ("archive", "live"):
        try:
            names |= {one.name: one for one in folder.folders(root / place)}
        except MissingError:
            continue
        except UnreadableError as error:
            yield error.note
    for name, path in sorted(names.items()):
        if only in ("", name):
            try:
                yield _certificate(folder, name, path)
            except UnreadableError as error:
                yield error.note


def _certificate(folder: ClientFolder, name: str, path: Path) -> RawCertificate:
    key_path, chain_path = path / "privkey.pem", path / "fullchain.pem"
    if not folder.has(key_path) and (newest := _newest(folder, path)):
        key_path, chain_path = path / f"privkey{newest}.pem", path / f"fullchain{newest}.pem"
    said = _settings(folder, folder.root / "renewal" / f"{name}.conf")
    way = said.get("authenticator", "")
    return RawCertificate(
        client=Client.CERTBOT,
        path=str(chain_path),
        key_path=str(key_path),
        name=name,
        issuer=IssuerSigns(directory=said.get("server", ""), is_any="server" not in said),
        key=folder.secret(key_path, hint=OF_CERTIFICATE),
        chain=folder.text(chain_path),
        profile=said.get("preferred_profile") or said.get("required_profile", ""),
        challenge=_challenge(way, said.get("pref_challs", "")),
        reuse_key=said.get("reuse_key", "").lower() == "true",
        way=way,
        account=said.get("account", ""),
    )


def _newest(folder: ClientFolder, path: Path) -> int:
    """Return the number of the newest version in archive/NAME; 0 if there is none."""
    found = (_NUMBERED.fullmatch(one.name) for one in folder.files(path))
    return max((int(one[1]) for one in found if one), default=0)


def _settings(folder: ClientFolder, path: Path) -> dict[str, str]:
    """Return what renewal/NAME.conf says; sections within others are left out."""
    try:
        text = folder.text(path)
    except MissingError:
        return {}
    said: dict[str, str] = {}
    is_within = False
    for line in text.splitlines():
        if line.strip().startswith("["):
            is_within = line.strip().startswith("[[")
        elif not is_within and (found := _SETTING.match(line)):
            value = found[2].strip("\"'")
            said[found[1]] = "" if value == "None" else value
    return said


def _challenge(way: str, preferred: str) -> Challenge | None:
    if way.startswith("dns") or Challenge.DNS in preferred:
        return Challenge.DNS
    return Challenge.HTTP if way else None
