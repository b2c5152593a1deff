"""What is taken over of what another client left, and what is said of it.

The command line asks; a daemon takes what waits (`core.certificates.imported`).
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from supervisor.core.certificates.imported import same_directory
from supervisor.kit.texts import day
from supervisor.model.certificate import INTERNAL, SUFFIX
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.certificate_status import CertificateState, CertificateStatus
from supervisor.model.client_folders import Client, FoundAccount, FoundCertificate, Outcome

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_OF_INTERNAL = (
    f"Issuer={INTERNAL} takes none over: podvisor's own authority signs one itself, for those who"
    " trust `podvisor certs root`; another Issuer= takes it, and renews it"
)
_IN_USE = {CertificateState.VALID, CertificateState.INSTALLED, CertificateState.FAILING}


class Said(NamedTuple):
    """What becomes of it, and why."""

    outcome: Outcome
    why: str = ""
    hint: str = ""


def issuer_named(directory: str, settings: CertificateSettings) -> str:
    """Return the name of an issuer by its directory; the one that files mean, if they are two."""
    if not directory:
        return ""
    names = [settings.issuer, *settings.known_issuers]
    for name in names:
        one = settings.issuer_of(name)
        if one and same_directory(one.directory, directory):
            return name
    return ""


def main_accounts(found: Iterable[FoundAccount]) -> list[FoundAccount]:
    """Return one for each issuer: that of most certificates, or else the newest."""
    best: dict[str, FoundAccount] = {}
    for one in found:
        other = best.get(one.directory)
        rank = (one.used, one.written_at)
        if other is None or rank > (other.used, other.written_at):
            best[one.directory] = one
    return list(best.values())


def of_certificate(
    found: FoundCertificate,
    issuer: str,
    statuses: Sequence[CertificateStatus],
    *,
    holder: str,
    waits: bool,
    replace: bool,
    now: float,
) -> Said:
    """Say whether to take one.

    `holder` is the name of the certificate as which it was taken before, `waits` whether it waits
    already. What is to replace another one waits anew: for the place of the one that is there now.
    """
    if used_as(found, statuses):
        return Said(Outcome.THERE)
    if waits and not (replace and asked_by(found, issuer, statuses)):
        return Said(Outcome.THERE)
    if holder and not replace:
        return _held(holder, statuses)
    for one in statuses if not replace else ():
        if _asks_for(one, found, issuer) and _is_well(one, now):
            until = day(one.expires)
            why = f"podvisor has a valid one as {one.name}, until {until}"
            return Said(Outcome.LEFT, why, "--replace has this one in its place")
    return Said(Outcome.TAKEN)


def _held(holder: str, statuses: Iterable[CertificateStatus]) -> Said:
    """Say of one that is kept whether another one is in its place since."""
    for one in statuses:
        if one.name == holder and one.is_asked_for and one.serial and not one.is_standin:
            why = f"{holder} has another one since"
            return Said(Outcome.THERE, why, "--replace has this one in its place again")
    return Said(Outcome.THERE)


def asked_by(found: FoundCertificate, issuer: str, statuses: Iterable[CertificateStatus]) -> str:
    """Return the name of the certificate that takes it, or has another one; empty if none does."""
    return next((one.name for one in statuses if _asks_for(one, found, issuer)), "")


def _asks_for(one: CertificateStatus, found: FoundCertificate, issuer: str) -> bool:
    return _same_names(one, found) and not _unlike(one, found, issuer)


def _same_names(one: CertificateStatus, found: FoundCertificate) -> bool:
    return one.is_asked_for and set(one.domains) == set(found.domains)


def _unlike(one: CertificateStatus, found: FoundCertificate, issuer: str) -> str:
    """Say what a file for the same names asks for that it is not."""
    if one.issuer != issuer and (issuer or one.issuer == INTERNAL):
        return f"Issuer={one.issuer}"
    return f"KeyType={one.key_type}" if one.key_type not in ("", found.key_type) else ""


def _is_well(one: CertificateStatus, now: float) -> bool:
    is_there = one.state in _IN_USE and not one.is_standin and one.expires > now
    return is_there and one.renew_at > now


def used_as(found: FoundCertificate, statuses: Iterable[CertificateStatus]) -> str:
    """Return the name of the certificate as which it is installed."""
    serial = found.pair.facts.serial
    named = (one.name for one in statuses if one.serial == serial and not one.is_standin)
    return next(named, "")


def why_waiting(
    found: FoundCertificate, issuer: str, statuses: Iterable[CertificateStatus]
) -> tuple[str, str]:
    """Say of one that waits why, and what to do about it.

    No file asks for it, or one asks for something else. Empty where one does.
    """
    for one in statuses:
        if _same_names(one, found):
            other = _unlike(one, found, issuer)
            why = f"{one.name} asks for the same names, but with {other}" if other else ""
            return why, _OF_INTERNAL if one.issuer == INTERNAL else ""
    return "no file asks for it yet", ""


def file_of(found: FoundCertificate, issuer: str, taken: Collection[str] = ()) -> tuple[str, str]:
    """Return a `.certificate` file that asks for it: a name, which is none of `taken`, and text."""
    stem = _UNSAFE.sub("-", found.name.replace("*", "wildcard")).strip("-._")
    stem = stem.removeprefix("wildcard_.") or "certificate"
    stem, number = stem[:200], 1
    name = stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    lines = [f"# {one}" for one in _remarks(found)]
    lines += ["[Certificate]", *(f"Domain={one}" for one in found.domains)]
    lines += [f"Issuer={issuer}"] if issuer else []
    lines += [f"Profile={found.profile}"] if found.profile else []
    lines += [f"KeyType={found.key_type}", f"Challenge={found.challenge}"]
    lines += ["ReuseKey=yes"] if found.reuse_key else []
    return f"{name}{SUFFIX}", "".join(f"{line}\n" for line in lines)


def _remarks(found: FoundCertificate) -> Iterable[str]:
    way = found.way
    if way.startswith("dns"):
        yield f"{found.client} proved it by {way}: the settings need the zone (certificates.zones)"
    elif way == "manual":
        yield f"{found.client} was told by hand, or by a script, how to prove it"
    elif way == "webroot":
        yield f"{found.client} proved it by a folder that a web server shows: certificates.webroot"
    if not found.directory and found.client is Client.FILES:
        yield "Nobody knows who issued it: it is renewed by the issuer that stands here"
