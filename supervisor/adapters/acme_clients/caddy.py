"""Caddy's folder: acme/ISSUER/users/EMAIL/, certificates/ISSUER/DOMAIN/.

ISSUER is the URL of the issuer's directory, without what a file's name may not have; Caddy's own
authority is `local`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

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
from supervisor.model.client_folders import Client, Note

_OWN = "local"
_REPLACED = ((" ", "_"), ("+", "_plus_"), ("*", "wildcard_"), (":", "-"), ("..", ""))
_UNSAFE = re.compile(r"[^\w@.-]", re.ASCII)


def folder_of(directory: str) -> str:
    """Return how Caddy calls an issuer's folder, by the URL of its directory."""
    try:
        parts = urlsplit(directory)
    except ValueError:
        return ""
    name = parts.netloc.rpartition("@")[2]
    if path := parts.path.replace("/", "-").replace("\\", "-").strip("-"):
        name += f"-{path}"
    name = name.lower().strip()
    for one, other in _REPLACED:
        name = name.replace(one, other)
    return _UNSAFE.sub("", name)


def is_caddys(folder: ClientFolder) -> bool:
    """Whether it looks like one."""
    if folder.has(folder.root / "acme"):
        return True
    try:
        return any(
            folder.has(domain / f"{domain.name}.key")
            for issuer in folder.folders(folder.root / "certificates")
            for domain in folder.folders(issuer)
        )
    except UnreadableError:
        return False


def read(folder: ClientFolder, only: str = "") -> Iterator[Found]:
    """Yield what is there. Which account ordered a certificate is written nowhere."""
    issuers = set()
    for issuer, path in _below(folder, folder.root / "certificates"):
        if isinstance(path, Note):
            yield path
        elif only in ("", path.name):
            issuers.add(issuer)
            try:
                yield _certificate(folder, issuer, path)
            except UnreadableError as error:
                yield error.note
    for issuer, path in _below(folder, folder.root / "acme", "users"):
        if isinstance(path, Note):
            yield path
        elif not only or issuer in issuers:
            try:
                yield _account(folder, issuer, path)
            except UnreadableError as error:
                yield error.note


def _below(
    folder: ClientFolder, place: Path, within: str = ""
) -> Iterator[tuple[str, Path | Note]]:
    """Yield the folders of each issuer's, with its name."""
    try:
        issuers = [*folder.folders(place)]
    except MissingError:
        return
    except UnreadableError as error:
        yield "", error.note
        return
    for issuer in issuers:
        try:
            for one in folder.folders(issuer / within):
                yield issuer.name, one
        except MissingError:
            continue
        except UnreadableError as error:
            yield issuer.name, error.note


def _certificate(folder: ClientFolder, issuer: str, path: Path) -> RawCertificate | Note:
    chain_path, key_path = path / f"{path.name}.crt", path / f"{path.name}.key"
    if issuer == _OWN:
        hint = "Issuer=internal has one by podvisor's own"
        text = "Caddy's own authority has signed it, which ends with Caddy"
        return Note(path=str(chain_path), text=text, hint=hint, is_fault=False)
    about = folder.json(path / f"{path.name}.json")
    names, data = about.get("sans"), about.get("issuer_data")
    data = data if isinstance(data, dict) else {}
    listed = names if isinstance(names, list) else []
    signs = IssuerSigns(
        directory=str(data.get("ca") or ""), folder=issuer, url=str(data.get("url") or "")
    )
    return RawCertificate(
        client=Client.CADDY,
        path=str(chain_path),
        key_path=str(key_path),
        name=path.name,
        issuer=signs,
        key=folder.secret(key_path, hint=OF_CERTIFICATE),
        chain=folder.text(chain_path),
        domains=tuple(one for one in listed if isinstance(one, str)),
    )


def _account(folder: ClientFolder, issuer: str, path: Path) -> RawAccount:
    files = [*folder.files(path)]
    key_path = next((one for one in files if one.suffix == ".key"), None)
    if key_path is None:
        raise UnreadableError(path, "there is no key of the account in it")
    about_path = next((one for one in files if one.suffix == ".json"), None)
    about = folder.json(about_path) if about_path else {}
    url = str(about.get("location") or "")
    return RawAccount(
        client=Client.CADDY,
        path=str(key_path),
        issuer=IssuerSigns(folder=issuer, url=url),
        url=url,
        email=first_email(about.get("contact")),
        key=folder.secret(key_path, hint=OF_ACCOUNT),
        status=str(about.get("status") or ""),
        written_at=folder.written_at(key_path),
    )
