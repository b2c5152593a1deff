"""`podvisor secret init`, `encrypt` and `edit`: this host's key, and files that it can open."""

import os
import sys
from pathlib import Path

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import Refused
from supervisor.cli.show import screen

_RECIPIENTS = ".age-recipients"
_recipients = click.option(
    "-r",
    "--recipient",
    "others",
    multiple=True,
    metavar="RECIPIENT",
    help=f"Encrypt for this one too: age1…, or ssh-ed25519 …; besides those of {_RECIPIENTS}.",
)
_raw = click.option("--raw", is_flag=True, help="Keep the line end of a secret of a single line.")


@click.command(
    short_help="Make this host's key, and show its recipient.",
    epilog=codes.epilog(
        c0="the key is there", c1="it cannot be made or read", examples=("podvisor secret init",)
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (OwnRecipient).")
@click.pass_obj
def init(config: str, *, as_json: bool) -> int:
    """Make this host's age key if there is none, and write its recipient.

    The key is where the settings say ([secrets] identity), by default in
    ~/.config/podvisor/age.key, for you alone. The recipient is no secret: whatever is encrypted
    for it, this host can open.
    """
    from supervisor.cli.local.secret_keys import own_recipient

    recipient = own_recipient(config, make=True)
    if as_json:
        screen.write_json({"recipient": recipient})
    else:
        print(recipient)
    return codes.OK


@click.command(
    short_help="Encrypt a secret, so that it can stand in the repository.",
    epilog=codes.epilog(
        c0="the file is written",
        c1="it is there already, or cannot be made",
        examples=("podvisor secret encrypt db-password <password.txt",),
    ),
)
@click.argument("name", required=False, default="")
@click.option(
    "--app",
    "folder",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False),
    default=".",
    help="Of the app, in a checkout.  [default: the current folder]",
)
@click.option("-o", "--output", metavar="FILE", help="Write this file only; - is the output.")
@_recipients
@_raw
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON (EncryptedFiles).")
@click.pass_obj
def encrypt(
    config: str,
    *,
    name: str,
    folder: str,
    output: str | None,
    others: tuple[str, ...],
    raw: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Encrypt what is typed or comes on standard input, for this host and others.

    NAME is that of the Podman secret: NAME.age is written, and NAME.secret beside it, if that is
    not there yet. Others who can open it are those of -r and of the nearest file .age-recipients
    in the folder or above it, within the repository. This host's key is made if there is none and
    nobody else is named.

    The final line end of a secret of a single line is left out, unless --raw says otherwise.
    """
    from supervisor.adapters.secrets import age
    from supervisor.cli.local.secret_keys import recipients

    if not name and not output:
        raise click.UsageError("say the secret's name, or -o FILE")
    target = Path(output) if output else Path(folder, f"{name}.age")
    to_stdout = output == "-"
    if to_stdout and as_json:
        raise click.UsageError("with -o - the output is the encrypted secret: leave out --json")
    if not to_stdout and target.exists() and not force:
        hint = f"podvisor secret edit {target} changes it, --force replaces it"
        raise Refused(f"{target} is there already", hint=hint)
    known = recipients(config, others, beside=Path(folder) if to_stdout else target.parent)
    sealed = age.encrypt(_trimmed(_typed(name or str(target)), raw=raw), known)
    if to_stdout:
        sys.stdout.buffer.write(sealed)
        return codes.OK
    _write(target, sealed)
    _tell(f"Wrote {target}, for {len(known)} {'key' if len(known) == 1 else 'keys'}.")
    written = [str(target)]
    described = Path(folder, f"{name}.secret")
    if not output and not described.exists():
        _write(described, f"[Secret]\nSource=age:{name}.age\n".encode())
        _tell(f"Wrote {described}. A container uses it by Secret={name}.")
        written.append(str(described))
    if as_json:
        screen.write_json({"written": written, "recipients": len(known)})
    return codes.OK


@click.command(
    short_help="Change an encrypted file in an editor.",
    epilog=codes.epilog(
        c0="it is changed, or was left as it was",
        c1="it cannot be opened",
        examples=("podvisor secret edit apps/shop/db-password.age",),
    ),
)
@click.argument("file", type=click.Path(dir_okay=False))
@_recipients
@_raw
@click.pass_obj
def edit(config: str, file: str, others: tuple[str, ...], raw: bool) -> int:
    """Open FILE with this host's key in $VISUAL or $EDITOR, and encrypt it anew if it changed.

    It is also encrypted anew, unchanged, where there are more recipients now than it has.

    While it is edited, the clear text stands in memory, below $XDG_RUNTIME_DIR, in a folder of
    your own; it is overwritten and removed then. An editor may keep copies of its own elsewhere.
    """
    from supervisor.adapters.secrets import age
    from supervisor.cli.local.editing import edited
    from supervisor.cli.local.secret_keys import identity_text, recipients

    path = Path(file)
    try:
        sealed = path.read_bytes()
    except FileNotFoundError as error:
        raise Refused(f"there is no {path}", hint=f"podvisor secret encrypt -o {path}") from error
    known = recipients(config, others, beside=path.parent)
    before = age.count_recipients(sealed)
    if before > len(known):
        raise Refused(
            f"{path} is encrypted for {before} keys, and only {len(known)} are known here",
            hint=f"put all recipients into {_RECIPIENTS} beside it, or name them with -r",
        )
    try:
        clear = age.decrypt(sealed, identity_text(config))
    except age.AgeError as error:
        raise Refused(f"cannot open {path}: {error}") from error
    changed = edited(clear, name=path.stem)
    changed = clear if changed == clear else _trimmed(changed, raw=raw)
    if changed == clear and before == len(known):
        _tell(f"{path} is unchanged.")
        return codes.OK
    _write(path, age.encrypt(_fit(changed), known))
    _tell(f"Wrote {path}. Commit and push it.")
    return codes.OK


def _typed(what: str) -> bytes:
    """Return what a person types, unseen, or what comes on standard input. Raises Refused."""
    if screen.is_terminal(sys.stdin):
        typed: str = click.prompt(
            f"{screen.clean(what)}", hide_input=True, confirmation_prompt="Again", err=True
        )
        return _fit(typed.encode())
    from supervisor.model.secret import LARGEST

    return _fit(sys.stdin.buffer.read(LARGEST + 1))


def _trimmed(clear: bytes, *, raw: bool) -> bytes:
    """Leave out the line end that `echo` and editors add to a single line."""
    line = clear.removesuffix(b"\n").removesuffix(b"\r")
    return clear if raw or b"\n" in line else _fit(line)


def _fit(clear: bytes) -> bytes:
    from supervisor.model.secret import LARGEST

    if not clear:
        raise Refused("cannot encrypt nothing: a Podman secret is never empty")
    if len(clear) > LARGEST:
        hint = "keep large files in a volume"
        raise Refused(f"it is too large: Podman takes {LARGEST} bytes at most", hint=hint)
    return clear


def _write(path: Path, content: bytes) -> None:
    """Replace or make a file that others may read, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _tell(text: str) -> None:
    """Say what was done, beside the output."""
    screen.say(text, stream=sys.stderr)
