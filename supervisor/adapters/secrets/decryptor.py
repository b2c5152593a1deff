"""Gets the clear text of apps' secrets, and marks what they are made of. The `Decryptor` port.

age files are opened by a child process (`age`), sops files by the program sops; a clear text comes
through a pipe, is handed on, and is never written, logged or named in a failure.
"""

import contextlib
import hmac
import os
import posixpath
import secrets
import string
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from supervisor.adapters.secrets import age
from supervisor.adapters.secrets.references import read_credential
from supervisor.kit.credentials import credential_path
from supervisor.kit.files import write_whole
from supervisor.kit.helper import HelperError, ask
from supervisor.kit.process import ProcessError, run
from supervisor.model.errors import Retry, Stalled
from supervisor.model.secret import LARGEST, DesiredSecret, SecretKind
from supervisor.model.setting_types import SecretRef

_ALPHABET = string.ascii_letters + string.digits
_KEY_BYTES = 32
_AGE_SECONDS = 30.0
_SOPS_SECONDS = 60.0
"""It may have to ask a key server."""
_WORDS = 300


class FileDecryptor(msgspec.Struct, kw_only=True):
    """Opens what is encrypted for this host. Keeps no clear text, and reads keys anew each time."""

    state: Path
    """Folder that holds the key of the marks."""
    runtime: Path
    """Folder in memory in which an encrypted file stands while sops reads it."""
    identity: Callable[[], SecretRef]
    """Where the settings have the key."""
    read: Callable[[SecretRef], Awaitable[bytes]]
    """Gives what a reference of the settings refers to."""
    _key: bytes = b""

    @property
    def _key_file(self) -> Path:
        return self.state / "marks.key"

    def made_of(self, secret: DesiredSecret) -> str:
        """Mark what a secret is made of: another mark, and it is to be made anew."""
        match secret.kind:
            case SecretKind.CREDENTIAL:
                try:
                    content = read_credential(secret.place, limit=LARGEST + 1)
                except Stalled:
                    return ""
                return self.mark(secret.kind.encode(), content)
            case SecretKind.GENERATE:
                return self.mark(secret.kind.encode(), b"prune" if secret.prune else b"")
            case _:
                parts = (secret.oid, *secret.key)
                return self.mark(secret.kind.encode(), *(part.encode() for part in parts))

    def mark(self, *parts: bytes) -> str:
        """Return a keyed hash of these, which says nothing of them to who has not the key."""
        state = hmac.new(self._marks_key(), digestmod="sha256")
        for part in parts:
            state.update(len(part).to_bytes(8, "big") + part)
        return state.hexdigest()[:32]

    async def open(self, root: str, wanted: Sequence[tuple[DesiredSecret, bytes]]) -> list[bytes]:
        """Return the clear text of each, from its encrypted file's content where it has one.

        `root` is the app's folder, as failures name it. Raises Stalled (names file and line, and
        why it cannot be opened) or Retry.
        """
        self._keep_marks_key()
        found: dict[DesiredSecret, bytes] = {}
        sealed = [(one, text) for one, text in wanted if one.kind is SecretKind.AGE]
        if sealed:
            found.update(await self._open_age(root, sealed))
        for secret, text in wanted:
            match secret.kind:
                case SecretKind.SOPS:
                    found[secret] = await self._open_sops(root, secret, text)
                case SecretKind.CREDENTIAL:
                    found[secret] = read_credential(secret.place, limit=LARGEST + 1)
                case SecretKind.GENERATE:
                    found[secret] = self.generate(secret.length)
                case _:
                    pass
        for secret, clear in found.items():
            if not clear:
                raise _stalled(root, secret, "it is empty", "encrypt something")
            if len(clear) > LARGEST:
                why = f"it holds {len(clear)} bytes, and Podman takes {LARGEST} at most"
                raise _stalled(root, secret, why, "keep large files in a volume")
        return [found[secret] for secret, _ in wanted]

    @staticmethod
    def generate(length: int) -> bytes:
        """Make a new secret of letters and digits."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(length)).encode()

    async def _open_age(
        self, root: str, sealed: Sequence[tuple[DesiredSecret, bytes]]
    ) -> dict[DesiredSecret, bytes]:
        try:
            identities = await self.read(self.identity())
        except Stalled as error:
            hint = "podvisor secret init makes this host's key; then: podvisor sync"
            raise _stalled(root, sealed[0][0], str(error), hint) from error
        question = age.Sealed(identities, tuple(text for _, text in sealed))
        kind = list[bytes | age.Refused]
        try:
            answers = await ask(age.__name__, question, kind, timeout_seconds=_AGE_SECONDS)
        except HelperError as error:
            raise Retry(f"cannot open the secrets of {root}: {error}") from error
        found = {}
        for (secret, _), answer in zip(sealed, answers, strict=True):
            if isinstance(answer, age.Refused):
                hint = "encrypt it anew"
                if answer.for_others:
                    hint = "encrypt it for this host too: podvisor secret init shows its recipient"
                raise _stalled(root, secret, answer.why, hint)
            found[secret] = answer
        return found

    async def _open_sops(self, root: str, secret: DesiredSecret, sealed: bytes) -> bytes:
        from shutil import which  # noqa: PLC0415
        from tempfile import NamedTemporaryFile  # noqa: PLC0415

        program = which("sops")
        if not program:
            hint = "install it (https://getsops.io), or encrypt with podvisor secret encrypt"
            raise _stalled(root, secret, "the program sops is not installed", hint)
        path = "".join(f"[{part}]" if part.isdigit() else f'["{part}"]' for part in secret.key)
        try:
            self.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
            # It tells the format by the name. What stands here is encrypted.
            suffix = Path(secret.place).suffix
            with NamedTemporaryFile(dir=self.runtime, prefix="sops-", suffix=suffix) as file:
                file.write(sealed)
                file.flush()
                done = await run(
                    [program, "--decrypt", "--extract", path, file.name],
                    env=self._environment(),
                    timeout_seconds=_SOPS_SECONDS,
                )
        except (ProcessError, OSError) as error:
            raise Retry(f"cannot run sops for {root}/{secret.place}: {error}") from error
        if done.code:
            lines = (line for line in done.errors.splitlines() if line and line[0] != "[")
            first = next(lines, f"exit code {done.code}")
            hint = "sops must be able to open it as this user, without a terminal"
            raise _stalled(root, secret, f"sops says: {first[:_WORDS]}", hint)
        # It ends numbers with a line end, and texts without.
        line = done.output.removesuffix(b"\n")
        return done.output if b"\n" in line else line

    def _environment(self) -> dict[str, str]:
        """Point sops to this host's age key, unless the environment says another."""
        known: dict[str, str] = {}
        identity = self.identity()
        match identity.kind:
            case "file":
                known["SOPS_AGE_KEY_FILE"] = str(Path(identity.place).expanduser())
            case "credential":
                known["SOPS_AGE_KEY_FILE"] = str(credential_path(identity.place) or "")
            case _:
                pass
        return known | os.environ

    def _marks_key(self) -> bytes:
        """Return the key; one that cannot be read is made up, and kept only when it is used."""
        if not self._key:
            with contextlib.suppress(OSError):
                self._key = self._key_file.read_bytes()
            if len(self._key) != _KEY_BYTES:
                self._key = secrets.token_bytes(_KEY_BYTES)
        return self._key

    def _keep_marks_key(self) -> None:
        """Have the key on disk. What is there already goes before one that was made up."""
        key = self._marks_key()
        try:
            with contextlib.suppress(FileNotFoundError):
                there = self._key_file.read_bytes()
                if len(there) == _KEY_BYTES:
                    self._key = there
                    return
            write_whole(self._key_file, key)
        except OSError as error:
            raise Retry(f"cannot keep {self._key_file}: {error.strerror}") from error


def _stalled(root: str, secret: DesiredSecret, why: str, hint: str) -> Stalled:
    place = f"{posixpath.join(root, secret.path)}:{secret.line}"
    said = f"cannot make the secret {secret.name} of {secret.source}: {why}"
    return Stalled(f"{place}: {said}", hint=hint)
