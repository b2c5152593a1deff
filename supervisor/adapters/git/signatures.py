"""Whether a revision was signed by somebody who may: `git verify-commit` and `verify-tag`.

The signers are those of the file that the settings name: no configuration of the user's own for
Git, ssh or gpg takes part.
"""

import hashlib
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from supervisor.adapters.git.command import environment, git
from supervisor.adapters.git.errors import last_words
from supervisor.adapters.git.store import Store
from supervisor.kit.process import ProcessError, run
from supervisor.kit.programs import is_installed
from supervisor.kit.texts import short_id
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.settings import SourceSettings

_LARGEST = 1 << 20
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH
_TIMEOUT_SECONDS = 60.0
_NONE = "/bin/false"
_MARKS = {"ssh": b"-----BEGIN SSH SIGNATURE-----", "gpg": b"-----BEGIN PGP SIGNATURE-----"}
_PROGRAMS = {"ssh": ("ssh-keygen", "openssh-client"), "gpg": ("gpg", "gpg")}
_GPG_CONF = "no-autostart\nno-auto-key-retrieve\nno-auto-key-locate\ntrust-model always\n"
_SSH_GOOD = re.compile(r'^Good "git" signature for \S', re.MULTILINE)
_SSH_KEY = re.compile(r"with (\S+) key (SHA256:\S+)")
_GPG_LINE = re.compile(
    r"^\[GNUPG:\] (BADSIG|ERRSIG|EXPKEYSIG|REVKEYSIG|EXPSIG) ([0-9A-F]+)(.*)$", re.MULTILINE
)
_GPG_GOOD = re.compile(r"^\[GNUPG:\] GOODSIG [0-9A-F]+ ", re.MULTILINE)
_GPG_WHY = {
    "BADSIG": "the signature is not of this content",
    "ERRSIG": "no key of {path} made it",
    "EXPKEYSIG": "the key has expired",
    "REVKEYSIG": "the key was revoked",
    "EXPSIG": "the signature has expired",
}


class Signers(NamedTuple):
    """Who may sign."""

    kind: str
    """`ssh`, `gpg` or `cosign`."""
    path: Path
    content: bytes
    key: str
    """Identifies the rule: what was verified by another one is looked at again."""
    hint: str
    """How its file is written."""


def read_signers(settings: SourceSettings, *, installed: Path) -> Signers | None:
    """Read the file that the settings name; None where nothing is to be verified.

    Raises Stalled for one that others can change, or that lies where podvisor puts what comes from
    sources (`installed`).
    """
    if not settings.verify:
        return None
    kind, hint = settings.verify, _hint(settings)
    path = Path(settings.allowed_signers).expanduser()
    try:
        real = path.resolve(strict=True)
        with real.open("rb") as file:
            content = file.read(_LARGEST + 1)
            mode = real.stat().st_mode
    except OSError as error:
        message = f"cannot read the allowed signers in {path}: {error.strerror}"
        raise Stalled(message, hint=hint) from error
    if real.is_relative_to(installed.resolve()):
        raise Stalled(
            f"cannot trust {path}: it comes from a source itself",
            hint="keep the file outside, such as in ~/.config/podvisor",
        )
    if mode & _WRITABLE:
        raise Stalled(f"cannot trust {path}: others can change it", hint=f"chmod go-w {path}")
    lines = (line.strip() for line in content.splitlines())
    if len(content) > _LARGEST or not any(line and not line.startswith(b"#") for line in lines):
        raise Stalled(f"cannot use {path}: it names nobody", hint=hint)
    return Signers(kind, path, content, f"{kind}:{hashlib.sha256(content).hexdigest()}", hint)


async def check(store: Store, oid: str, ref: str, signers: Signers, *, scratch: Path) -> None:
    """Raise Stalled unless the commit, or annotated tag, `oid` is signed by one of the signers."""
    (content,) = await store.objects([oid])
    if content is None:
        raise Retry(f"cannot verify revision {short_id(oid)}: it is not stored")
    is_tag = content.startswith(b"object ")
    what = f"tag {_header(content, b'tag')}" if is_tag else f"revision {short_id(oid)}"
    if is_tag and _header(content, b"tag") != ref.removeprefix("refs/tags/"):
        raise _refusal(what, f"`ref` asks for {ref}, under which somebody put it", signers)
    author = _header(content, b"tagger" if is_tag else b"committer").rpartition(">")[0]
    by = f" (made by {author}>)" if author else ""
    found = [kind for kind, mark in _MARKS.items() if mark in _signed_part(content, is_tag=is_tag)]
    if not found:
        raise Stalled(
            _one_line(f"cannot deploy {what}{by}: it is not signed"),
            hint="sign it (git commit -S, git tag -s), and push it again",
        )
    if signers.kind not in found:
        raise _refusal(f"{what}{by}", f"it is signed by {found[0]}, not {signers.kind}", signers)
    program, package = _PROGRAMS[signers.kind]
    if not is_installed(program):
        raise Stalled(
            f"cannot verify {what}: {program} is not installed", hint=f"apt install {package}"
        )
    with _home(signers, scratch) as home:
        if signers.kind == "gpg":
            await _import(signers, home)
        done = await git(
            *("verify-tag" if is_tag else "verify-commit", "--raw", oid),
            repository=store.path,
            doing=f"verify {what}",
            env=_environment(signers, home),
            timeout_seconds=_TIMEOUT_SECONDS,
        )
    good = _SSH_GOOD if signers.kind == "ssh" else _GPG_GOOD
    if done.code or not good.search(done.errors):
        raise _refusal(f"{what}{by}", _why(done.errors, signers), signers)


def _environment(signers: Signers, home: Path) -> dict[str, str]:
    """Name the one program that may judge; a signature of the other kind has none."""
    ssh = signers.kind == "ssh"
    config = {
        "gpg.format": "ssh" if ssh else "openpgp",
        "gpg.minTrustLevel": "undefined",
        "gpg.program": _NONE if ssh else "gpg",
        "gpg.openpgp.program": _NONE if ssh else "gpg",
        "gpg.x509.program": _NONE,
        "gpg.ssh.program": "ssh-keygen" if ssh else _NONE,
        "gpg.ssh.allowedSignersFile": str(home / "signers") if ssh else "/dev/null",
    }
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GNUPGHOME": str(home)}
    return environment(config) | own


@contextmanager
def _home(signers: Signers, scratch: Path) -> Iterator[Path]:
    """Make a folder that holds the signers as they were read, and is gpg's only home."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415  # brings shutil

    try:
        with TemporaryDirectory(prefix=".verify-", dir=scratch) as made:
            home = Path(made)
            (home / "signers").write_bytes(signers.content)
            (home / "gpg.conf").write_text(_GPG_CONF)
            (home / "common.conf").touch()
            yield home
    except OSError as error:
        raise Retry(f"cannot verify in {scratch}: {error.strerror}") from error


async def _import(signers: Signers, home: Path) -> None:
    argv = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--import", str(home / "signers")]
    try:
        done = await run(argv, env=environment(), cwd="/", timeout_seconds=_TIMEOUT_SECONDS)
    except (OSError, ProcessError) as error:
        raise Retry(f"cannot read the keys in {signers.path}: {error}") from error
    if done.code:
        message = f"cannot read the keys in {signers.path}: {last_words(done.errors)}"
        raise Stalled(message, hint=signers.hint)


def _why(errors: str, signers: Signers) -> str:
    """Say what is wrong with a signature, and whose it is, from the program's own words."""
    if signers.kind == "gpg":
        if match := _GPG_LINE.search(errors):
            word, key, rest = match.groups()
            # ERRSIG goes on with numbers, the others with the name that the key gives itself.
            name = "" if word == "ERRSIG" else f" of{rest}"
            why = _GPG_WHY[word].format(path=signers.path)
            return f"it is signed by the OpenPGP key {key}{name}: {why}"
    elif match := _SSH_KEY.search(errors):
        return f"it is signed by the {match[1]} key {match[2]}, which {signers.path} does not allow"
    return f"its signature is not valid: {last_words(errors)}"


def _refusal(what: str, why: str, signers: Signers) -> Failure:
    hint = f"have it signed by somebody whom {signers.path} names, or add who signed it there"
    return Stalled(_one_line(f"cannot deploy {what}: {why}"), hint=hint)


def _one_line(text: str) -> str:
    """What others have written into a commit must not write over a terminal."""
    return "".join(c for c in text if c.isprintable())


def _header(content: bytes, name: bytes) -> str:
    for line in content.partition(b"\n\n")[0].split(b"\n"):
        if line.startswith(name + b" "):
            return line[len(name) + 1 :].decode(errors="replace")[:200]
    return ""


def _signed_part(content: bytes, *, is_tag: bool) -> bytes:
    """Where the signature stands: in a commit's head, at a tag's end."""
    head, _, body = content.partition(b"\n\n")
    return body if is_tag else head


def _hint(settings: SourceSettings) -> str:
    path = settings.allowed_signers
    if settings.verify == "gpg":
        return f"gpg --armor --export SIGNER >{path}"
    if settings.verify == "cosign":
        return f"cosign public-key --key cosign.key >{path}"
    return f'a line for each signer: echo "NAME $(cat KEY.pub)" >>{path}'
