"""A folder with a key and a chain in PEM, or one file with both, whoever wrote them."""

from collections.abc import Iterator
from pathlib import Path

from supervisor.adapters.acme_clients.folder import ClientFolder, UnreadableError
from supervisor.adapters.acme_clients.raw import OF_CERTIFICATE, Found, IssuerSigns, RawCertificate
from supervisor.model.client_folders import Client

_KEYS = ("privkey.pem", "key.pem", "tls.key", "server.key", "private.key", "private.pem")
_CHAINS = ("fullchain.pem", "fullchain.cer", "tls.crt", "chained.pem", "cert.pem", "server.crt")
_REST = ("chain.pem", "ca.cer", "ca.crt")
"""What follows the certificate, where that stands by itself."""
_OF_KEY = (".key", "-key.pem")
_OF_ONE = (".crt", ".cer", ".pem", ".cert")
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_KEY = " PRIVATE KEY-----"


def read(folder: ClientFolder, path: Path) -> Iterator[Found]:
    """Yield the pairs in a folder, or the one of a file."""
    try:
        pairs = [(path, path)] if path.is_file() else _pairs(folder, path)
        if path.is_file() and not _has_both(folder, path):
            pairs = [pair for pair in _pairs(folder, path.parent) if path in pair]
    except UnreadableError as error:
        yield error.note
        return
    for key, chain in pairs:
        try:
            yield RawCertificate(
                client=Client.FILES,
                path=str(chain),
                key_path=str(key),
                name=_name(chain, path),
                issuer=IssuerSigns(is_any=True),
                key=folder.secret(key, hint=OF_CERTIFICATE),
                chain=_chain(folder, chain),
            )
        except UnreadableError as error:
            yield error.note


def _has_both(folder: ClientFolder, path: Path) -> bool:
    text = folder.text(path)
    return _CERTIFICATE in text and _KEY in text


def _pairs(folder: ClientFolder, path: Path) -> list[tuple[Path, Path]]:
    """Return keys with their chains, by their names."""
    names = [one.name for one in folder.files(path)]
    key = next((one for one in _KEYS if one in names), "")
    chain = next((one for one in _CHAINS if one in names), "")
    if key and chain:
        return [(path / key, path / chain)]
    found = []
    for name in names:
        stem = next((name.removesuffix(end) for end in _OF_KEY if name.endswith(end)), "")
        if not stem:
            continue
        sibling = next((f"{stem}{end}" for end in _OF_ONE if f"{stem}{end}" in names), "")
        if chain or sibling:
            found.append((path / name, path / (chain or sibling)))
    return found


def _chain(folder: ClientFolder, path: Path) -> str:
    text = folder.text(path)
    if text.count(_CERTIFICATE) == 1:
        for rest in (*_REST, f"{path.stem}.issuer.crt"):
            if folder.has(path.with_name(rest)):
                return f"{text}\n{folder.text(path.with_name(rest))}"
    return text


def _name(chain: Path, asked: Path) -> str:
    stem = chain.name.removesuffix(chain.suffix)
    is_told = chain.name in _CHAINS and not asked.is_file()
    return asked.name if is_told else stem
