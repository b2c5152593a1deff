"""What an account was told, kept beside its key: it is told of another address once."""

import contextlib
from pathlib import Path

import msgspec

from supervisor.adapters.acme.network import Fields, Network
from supervisor.adapters.acme.refusals import is_passing
from supervisor.adapters.acme.replies import Account, IssuerError
from supervisor.kit.files import write_whole
from supervisor.kit.texts import one_line

_QUOTED = 200


class AccountRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known here of an account that there is."""

    url: str
    email: str
    """That it was told last, be it in vain."""


def read_record(key: Path) -> AccountRecord | None:
    """Return what is known of the account with the key at this path; None if nothing is."""
    with contextlib.suppress(OSError, ValueError):
        return msgspec.json.decode(_place(key).read_bytes(), type=AccountRecord)
    return None


def write_record(key: Path, record: AccountRecord) -> None:
    """Keep it. Raises OSError."""
    write_whole(_place(key), msgspec.json.encode(record))


def tell_address(network: Network, account: Account, key: Path) -> tuple[str, ...]:
    """Tell of another e-mail address, if it was not told yet; returns in sentences what came of it.

    It may know already, where nothing was kept; what was said there by others is left then, if the
    settings say nothing. An address that it does not take keeps nobody from ordering.
    """
    issuer, known = network.issuer, read_record(key)
    if known and known.url != network.kid:
        known = None  # the key is another one, as after an import
    wanted, record = issuer.email, AccountRecord(url=network.kid, email=issuer.email)
    contact = [f"mailto:{wanted}"] if wanted else []
    if known and known.email == wanted:
        return ()
    if known is None and (not wanted or account.contact == contact):
        write_record(key, record)
        return ()
    note = f"{issuer.name} was told the e-mail address of the settings"
    if not wanted:
        note = f"{issuer.name} was told that there is no e-mail address any more"
    try:
        network.post(network.kid, Fields(contact=contact))
    except IssuerError as error:
        if is_passing(error):
            return ()
        why = one_line(error.problem.detail, _QUOTED) or error.problem.word
        note = f"{issuer.name} does not take the e-mail address of the settings"
        note += f" ({why}): it has the former one still"
    write_record(key, record)
    return (note,)


def _place(key: Path) -> Path:
    return key.with_suffix(".json")
