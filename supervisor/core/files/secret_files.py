"""An app's `.secret` files: what they ask for, and what in them means nothing.

No value is ever repeated: it may be the secret itself. See docs/reference/secrets.md.
"""

import re
from functools import partial

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.described import Described, OwnKind, described
from supervisor.core.files.unitfile import Entry, Refused, boolean
from supervisor.model.errors import Finding
from supervisor.model.secret import LARGEST, SUFFIX, DesiredSecret, SecretKind
from supervisor.model.source import FileKind

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_SHORTEST, _LONGEST = 8, 4_096
_LARGEST_SEALED = 1 << 20
"""Bytes of an encrypted file: the largest secret in letters, and whom it is for."""
_EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
_SEALED_SUFFIXES = (".age", ".env", ".ini", ".json", ".yaml", ".yml")
_AGE_BEGINS = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
_FORMS = "Source=age:FILE, Source=sops:FILE#KEY, Source=credential:NAME or Generate=32"
SECRETS = OwnKind(
    suffix=SUFFIX,
    section="Secret",
    keys=("Name", "Source", "Generate", "Prune"),
    sign=re.compile(r"^\s*(?:Source\s*=\s*(?:age|sops|credential):|Generate\s*=)", re.MULTILINE),
    what="secret",
    has=_FORMS,
)


def is_secret(path: str) -> bool:
    """Whether a relative path is that of a file that describes a secret."""
    return SECRETS.is_kind_of(path)


def read_secret_files(files: AppFiles) -> tuple[tuple[DesiredSecret, ...], tuple[Finding, ...]]:
    """Return the app's secrets, as far as they are understood, and what was found."""
    secrets: dict[str, DesiredSecret] = {}
    findings: list[Finding] = []
    for one in described(SECRETS, files, findings):
        try:
            secret = _read(one, files)
        except Refused as refused:
            at = one.last("Source") or one.last("Generate")
            found = files.finding(str(refused), at=at, path=one.path, hint=refused.hint)
            findings.append(found)
            continue
        other = secrets.setdefault(secret.name, secret)
        if other is not secret:
            message = f"{other.path} and {one.path} both make the secret {secret.name}"
            hint = "give one of them another name"
            findings.append(files.finding(message, path=one.path, line=secret.line, hint=hint))
    return tuple(secrets.values()), tuple(findings)


def _read(one: Described, files: AppFiles) -> DesiredSecret:
    if not one.has_section:
        raise Refused("it has no [Secret] section", f"write [Secret], and {_FORMS}")
    entries = {key: entry for key in SECRETS.keys if (entry := one.last(key))}
    path = one.path
    name = entries["Name"].value if "Name" in entries else one.stem
    if not _NAME.fullmatch(name):
        hint = "use letters, digits, '.', '_' and '-', a letter or digit first; Name= sets another"
        what = "Name=" if "Name" in entries else name
        raise Refused(f"{what} cannot name a secret", hint)
    if "Source" in entries and "Generate" in entries:
        raise Refused("Source= and Generate= exclude each other", "leave out one of them")
    secret = partial(DesiredSecret, name=name, path=path)
    if generate := entries.get("Generate"):
        return secret(
            kind=SecretKind.GENERATE,
            line=generate.line,
            length=_length(generate.value),
            prune=_prune(entries.get("Prune")),
        )
    if "Source" not in entries:
        raise Refused("it does not say where the secret comes from", f"write {_FORMS}")
    if "Prune" in entries:
        message = "Prune= is for generated secrets: others go with their file anyway"
        raise Refused(message, "leave it out")
    source = entries["Source"]
    kind, _, place = source.value.partition(":")
    secret = partial(secret, line=source.line)
    match kind:
        case "age":
            oid = _sealed(place, files)
            content = files.content(place)
            if content is not None and not content.startswith(_AGE_BEGINS):
                hint = f"podvisor secret encrypt --force -o {place} makes one"
                raise Refused(f"{place} is no file that age encrypted", hint)
            return secret(kind=SecretKind.AGE, place=place, oid=oid)
        case "sops":
            file, _, key = place.rpartition("#")
            keys = tuple(key.split("."))
            if not file or not all(keys):
                hint = "write sops:FILE#KEY, such as sops:secrets.yaml#db.password"
                raise Refused("Source= does not name a key in a file", hint)
            return secret(kind=SecretKind.SOPS, place=file, oid=_sealed(file, files), key=keys)
        case "credential":
            if not _CREDENTIAL.fullmatch(place):
                raise Refused("Source= cannot name a credential", "see systemd.exec(5)")
            return secret(kind=SecretKind.CREDENTIAL, place=place)
        case _:
            raise Refused("Source= does not say what kind of source it is", f"write {_FORMS}")


def _sealed(place: str, files: AppFiles) -> str:
    """Return the blob id of an encrypted file of the app."""
    real = files.real_path(place) if place and not place.startswith("/") else None
    shown = place if place.endswith(_SEALED_SUFFIXES) or files.holds(place) else "of Source="
    if real is None:
        hint = "put the encrypted file into the app's folder; the path is relative to it"
        raise Refused(f"the encrypted file {shown} is not in the app's folder", hint)
    file = next((one for one in files.app.files if one.path == real), None)
    if file is None or file.kind is FileKind.SYMLINK:
        what = "is a folder" if files.holds(place) else "is not there"
        hint = f"podvisor secret encrypt -o {place if shown == place else 'FILE'} makes it"
        raise Refused(f"the encrypted file {shown} {what}", hint)
    if file.oid == _EMPTY:
        raise Refused(f"the encrypted file {shown} is empty", "encrypt it anew")
    if file.size > _LARGEST_SEALED:
        message = f"the encrypted file {shown} is too large for a secret: {file.size} bytes"
        raise Refused(message, f"Podman takes {LARGEST} bytes at most")
    return file.oid


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit() and _SHORTEST <= int(text[:9]) <= _LONGEST):
        message = "Generate= has no meaning: it says how many letters and digits"
        raise Refused(message, f"write a number from {_SHORTEST} to {_LONGEST}")
    return int(text)


def _prune(entry: Entry | None) -> bool:
    is_pruned = boolean(entry.value) if entry else False
    if is_pruned is None:
        raise Refused("Prune= has no meaning", "write yes or no")
    return is_pruned
