"""Read what another ACME client left, and verify it: a helper, asked by `wiring.importing`."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from supervisor.adapters.acme_clients import caddy, certbot, lego, pem_files, verify
from supervisor.adapters.acme_clients.folder import PARTS, ClientFolder, UnreadableError, kind_of
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

_Opened = tuple[ClientFolder, tuple[Client, ...], Iterator[Found]]


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


def _opened(path: Path) -> _Opened:
    """Tell whose folder it is, or to whose it belongs. Raises UnreadableError."""
    kind = kind_of(path)
    if kind not in (stat.S_IFDIR, stat.S_IFREG):
        raise UnreadableError(path, "it is no folder and no file")
    is_folder = kind == stat.S_IFDIR
    folder = ClientFolder(path if is_folder else path.parent)
    if is_folder:
        folder.files(path)  # what cannot be looked into is said
    opened = (_whole(folder) if is_folder else None) or _part(path, is_folder=is_folder)
    if opened is not None:
        return opened
    found = [*pem_files.read(folder, path)]
    clients = (Client.FILES,) if found else ()
    return folder, clients, iter(found)


def _whole(folder: ClientFolder) -> _Opened | None:
    """Tell whether it is the whole of a client's."""
    if certbot.is_certbots(folder):
        return folder, (Client.CERTBOT,), certbot.read(folder)
    if caddy.is_caddys(folder):
        return folder, (Client.CADDY,), caddy.read(folder)
    if lego.is_legos(folder):
        return folder, (Client.LEGO,), lego.read(folder)
    return None


def _part(path: Path, *, is_folder: bool) -> _Opened | None:
    """Tell whether it is part of a client's: then that, or one certificate of it, is meant."""
    above = path.parents
    if is_folder and path.name in PARTS:
        return _whole(ClientFolder(above[0]))
    if is_folder and len(above) > 1 and above[0].name in ("live", "archive"):
        folder = ClientFolder(above[1])
        if certbot.is_certbots(folder):
            return folder, (Client.CERTBOT,), certbot.read(folder, path.name)
    if is_folder and len(above) > 2 and above[1].name == "certificates":  # noqa: PLR2004
        folder = ClientFolder(above[2])
        if caddy.is_caddys(folder):
            return folder, (Client.CADDY,), caddy.read(folder, path.name)
    if not is_folder and len(above) > 1 and above[0].name == "certificates":
        folder = ClientFolder(above[1])
        if lego.is_legos(folder):
            name = path.name.removesuffix(path.suffix).removesuffix(".issuer")
            return folder, (Client.LEGO,), lego.read(folder, name)
    return None


if __name__ == "__main__":
    serve(read, ReadFolder)
