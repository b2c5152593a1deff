"""What a commit is signed with: a private key of SSH or OpenPGP, in a file of the user's own.

No configuration of the user's own for Git, ssh or gpg takes part.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from supervisor.adapters.git.command import environment
from supervisor.adapters.git.credentials import private_key
from supervisor.adapters.git.errors import last_words
from supervisor.kit.process import ProcessError, run
from supervisor.kit.programs import is_installed
from supervisor.model.errors import Retry, Stalled

_LARGEST = 1 << 20
_TIMEOUT_SECONDS = 60.0
_OPENPGP = b"-----BEGIN PGP PRIVATE KEY BLOCK-----"
_FINGERPRINT = re.compile(r"^fpr:+([0-9A-F]{40,}):", re.MULTILINE)
_OWN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


@asynccontextmanager
async def signing(text: str, *, scratch: Path) -> AsyncIterator[dict[str, str]]:
    """Yield the environment in which `git commit-tree -S` signs with a key.

    `text` is a path, or `credential:NAME`; `scratch` takes gpg's home for that time. Raises Stalled
    for a key that cannot be used.
    """
    path = private_key(text)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise Stalled(f"cannot sign with {path}: {error.strerror}") from error
    if _OPENPGP not in content:
        _ask_for("ssh-keygen", "openssh-client", path)
        config = {"gpg.format": "ssh", "user.signingKey": str(path)}
        yield environment({**config, "gpg.ssh.program": "ssh-keygen"}) | _OWN
        return
    _ask_for("gpg", "gpg", path)
    from tempfile import TemporaryDirectory  # noqa: PLC0415  # brings shutil

    with TemporaryDirectory(prefix=".sign-", dir=scratch) as home:
        try:
            await _gpg(path, home, "--import", str(path))
            listed = await _gpg(path, home, "--with-colons", "--list-secret-keys")
            found = _FINGERPRINT.search(listed)
            if found is None:
                raise Stalled(f"cannot sign with {path}: it holds no private key")
            config = {"gpg.format": "openpgp", "user.signingKey": found[1]}
            env = environment({**config, "gpg.program": "gpg", "gpg.openpgp.program": "gpg"})
            yield env | _OWN | {"GNUPGHOME": home}
        finally:
            await _run(path, "gpgconf", "--homedir", home, "--kill", "all")


async def _gpg(path: Path, home: str, *args: str) -> str:
    code, output, errors = await _run(path, "gpg", "--homedir", home, "--batch", "--quiet", *args)
    if code:
        raise Stalled(
            f"cannot sign with {path}: {last_words(errors)}",
            hint=f"gpg --armor --export-secret-keys SIGNER >{path}; it has no passphrase",
        )
    return output.decode(errors="replace")


async def _run(path: Path, *argv: str) -> tuple[int, bytes, str]:
    try:
        done = await run(argv, env=environment(), cwd="/", timeout_seconds=_TIMEOUT_SECONDS)
    except (OSError, ProcessError) as error:
        raise Retry(f"cannot sign with {path}: {error}") from error
    return done.code, done.output, done.errors


def _ask_for(program: str, package: str, path: Path) -> None:
    if not is_installed(program):
        raise Stalled(
            f"cannot sign with {path}: {program} is not installed", hint=f"apt install {package}"
        )
