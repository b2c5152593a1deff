"""Read what another ACME client left, and verify it: a helper, asked by `wiring.importing`."""

import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from supervisor.adapters.acme_clients import caddy, certbot, lego, pem_files, verify
from supervisor.adapters.acme_clients.folder import ClientFolder, UnreadableError
from supervisor.adapters.acme_clients.raw import Found, RawAccount, RawCertificate
from supervisor.kit.helper import serve
from supervisor.model.client_folders import (
    Client,
    FoundAccount,
    FoundCertificate,
    Note,
    ReadFolder,
    Reading,
)

_PARTS = {"live", "archive", "renewal", "accounts", "certificates", "acme"}
"""Folders within a client's: who names one means all of it."""


def read(asked: ReadFolder) -> Reading:
    """Return what is there; what is of no use is noted, and the others go on."""
    path = Path(asked.path)
    try:
        folder, clients, found = _opened(path)
    except UnreadableError as error:
        return Reading(notes=(error.note,))
    raw = [*found]
    notes = [*folder.notes, *(one for one in raw if isinstance(one, Note))]
    certificates: dict[str, FoundCertificate] = {}
    accounts: list[FoundAccount] = []
    now = time.time()
    ordered_by = [one.account for one in raw if isinstance(one, RawCertificate)]
    for one in raw:
        try:
            match one:
                case RawCertificate():
                    done = verify.certificate(one, asked.issuers, now=now)
                    if _is_named(done, asked.names):
                        certificates.setdefault(done.pair.facts.fingerprint, done)
                case RawAccount():
                    account = verify.account(one, asked.issuers)
                    if asked.account in f"{account.url} {account.path} {account.email}":
                        used = ordered_by.count(one.id) if one.id else 0
                        accounts.append(replace(account, used=used))
        except verify.NoUseError as error:
            if not (
                isinstance(one, RawCertificate) and asked.names and one.name not in asked.names
            ):
                notes.append(error.note)
    return Reading(
        clients=clients,
        accounts=tuple(accounts),
        certificates=tuple(certificates.values()),
        notes=tuple(dict.fromkeys(notes)),
    )


def _is_named(one: FoundCertificate, names: tuple[str, ...]) -> bool:
    return not names or not {one.name, *one.domains}.isdisjoint(names)


def _opened(path: Path) -> tuple[ClientFolder, tuple[Client, ...], Iterator[Found]]:
    """Tell whose folder it is, or to whose it belongs. Raises UnreadableError."""
    folder = ClientFolder(path if path.is_dir() else path.parent)
    if path.is_dir():
        folder.files(path)  # what cannot be looked into is said
        if certbot.is_certbots(folder):
            return folder, (Client.CERTBOT,), certbot.read(folder)
        if caddy.is_caddys(folder):
            return folder, (Client.CADDY,), caddy.read(folder)
        if lego.is_legos(folder):
            return folder, (Client.LEGO,), lego.read(folder)
    whole = _of_one(path)
    if whole is not None:
        return whole
    if not (path.is_dir() or path.is_file()):
        is_there = folder.has(path)
        raise UnreadableError(
            path, "it is no folder and no file" if is_there else "it is not there"
        )
    found = [*pem_files.read(folder, path)]
    clients = (Client.FILES,) if found else ()
    return folder, clients, iter(found)


def _of_one(path: Path) -> tuple[ClientFolder, tuple[Client, ...], Iterator[Found]] | None:
    """Tell whether it is one certificate's, in a client's folder."""
    above = path.parents
    is_folder = path.is_dir()
    if is_folder and path.name in _PARTS:
        whole = ClientFolder(above[0])
        if path.name != "certificates" and certbot.is_certbots(whole):
            return whole, (Client.CERTBOT,), certbot.read(whole)
        if caddy.is_caddys(whole):
            return whole, (Client.CADDY,), caddy.read(whole)
        if lego.is_legos(whole):
            return whole, (Client.LEGO,), lego.read(whole)
    if is_folder and len(above) > 1 and above[0].name in ("live", "archive"):
        folder = ClientFolder(above[1])
        if certbot.is_certbots(folder):
            return folder, (Client.CERTBOT,), certbot.read(folder, path.name)
    if is_folder and len(above) > 2 and above[1].name == "certificates":  # noqa: PLR2004
        folder = ClientFolder(above[2])
        if caddy.is_caddys(folder):
            return folder, (Client.CADDY,), caddy.read(folder, path.name)
    if path.is_file() and len(above) > 1 and above[0].name == "certificates":
        folder = ClientFolder(above[1])
        if lego.is_legos(folder):
            name = path.name.removesuffix(path.suffix).removesuffix(".issuer")
            return folder, (Client.LEGO,), lego.read(folder, name)
    return None


if __name__ == "__main__":
    serve(read, ReadFolder)
