"""What must hold for `[certificates]` as a whole, beyond the rules of its fields."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from supervisor.core.config.problem import Problem, name_problems, shown_text
from supervisor.core.config.toml_lines import Path
from supervisor.core.files.domains import WILDCARD, is_address, parse_domain
from supervisor.core.files.unitfile import Refused
from supervisor.kit import texts
from supervisor.model.certificate import INTERNAL
from supervisor.model.certificate_settings import DIRECTORIES, HOOK, LETS_ENCRYPT, RFC2136, STAGING

_RFC2136_ONLY = ("server", "key_name", "key_algorithm")


def certificate_problems(
    certificates: Mapping[str, Any], wrong: Collection[Path]
) -> Iterator[Problem]:
    """Check all of `[certificates]`; `wrong` holds what was complained of already."""
    place: Path = ("certificates",)
    issuers, zones = certificates.get("issuers", {}), certificates.get("zones", {})
    issuer = certificates.get("issuer", LETS_ENCRYPT)
    if isinstance(issuers, dict):
        known = (*DIRECTORIES, INTERNAL, *issuers)
        if issuer not in known and isinstance(issuer, str) and (*place, "issuer") not in wrong:
            hint = texts.meant(issuer, known)
            yield Problem((*place, "issuer"), f"there is no issuer {shown_text(issuer)}", hint)
        for name, table in issuers.items():
            if isinstance(table, dict):
                yield from _issuer_problems((*place, "issuers", name), table, wrong)
                yield from _staging_problems((*place, "issuers", name), table, known, wrong)
    at = (*place, "internal_certificate")
    if certificates.get(at[-1]) and not certificates.get("internal_key") and at not in wrong:
        hint = "say where the authority's key is: file:~/…, credential:…, podman:…"
        yield Problem(at, "“internal_certificate” needs “internal_key”", hint)
    for name, table in zones.items() if isinstance(zones, dict) else ():
        if isinstance(table, dict):
            yield from _zone_name_problems((*place, "zones", name))
            yield from _zone_problems((*place, "zones", name), table, wrong)


def _issuer_problems(
    key: Path, table: Mapping[str, Any], wrong: Collection[Path]
) -> Iterator[Problem]:
    name = key[-1]
    yield from name_problems(key, "an issuer")
    if name == INTERNAL:
        hint = "leave it out, or give this one another name"
        yield Problem(key, f"“{INTERNAL}” is podvisor's own authority", hint)
    elif not table.get("directory") and name not in DIRECTORIES:
        hint = 'directory = "https://…/directory"'
        if close := texts.nearest(name, DIRECTORIES):
            hint += f", or did you mean “{close}”?"
        yield Problem(key, f"issuer “{name}” does not say where its “directory” is", hint)
    pair = ("eab_key_id", "eab_key")
    for word, other in (pair, pair[::-1]):
        if table.get(word) and not table.get(other) and (*key, other) not in wrong:
            hint = "the issuer gives out both together"
            yield Problem((*key, word), f"“{word}” needs “{other}”", hint)


def _staging_problems(
    key: Path, table: Mapping[str, Any], known: Collection[str], wrong: Collection[Path]
) -> Iterator[Problem]:
    staging, at = table.get("staging"), (*key, "staging")
    if not staging or not isinstance(staging, str) or at in wrong:
        return
    if "://" in staging:
        return
    if staging == LETS_ENCRYPT:
        hint = f"“{STAGING}” is for that"
        yield Problem(at, f"orders that are tried at {staging} count against its limits", hint)
    elif staging not in known or staging == INTERNAL:
        hint = texts.meant(staging, [one for one in known if one != INTERNAL])
        yield Problem(at, f"there is no issuer {shown_text(staging)}", hint)


def _zone_name_problems(key: Path) -> Iterator[Problem]:
    name = key[-1]
    try:
        domain = parse_domain(name)
    except Refused as refused:
        yield Problem(key, f"cannot call a zone {shown_text(name)}: {refused}", refused.hint)
        return
    if is_address(name) or domain.startswith(WILDCARD):
        hint = "name the domain itself, such as example.org"
        yield Problem(key, f"{shown_text(name)} is no zone", hint)
    elif domain != name:
        yield Problem(key, f"the zone {shown_text(name)} is written in another way", f"“{domain}”")


def _zone_problems(
    key: Path, table: Mapping[str, Any], wrong: Collection[Path]
) -> Iterator[Problem]:
    name, provider = key[-1], table.get("provider")
    if not provider:
        hint = f'provider = "{RFC2136}", "{HOOK}", or one of dns-lexicon'
        yield Problem(key, f"zone “{name}” does not say how its records are set", hint)
        return
    if not isinstance(provider, str) or (*key, "provider") in wrong:
        return
    needs = {
        RFC2136: (("server", 'server = "ns1.example.org"'),),
        HOOK: (("hook", 'hook = "~/.local/bin/dns-hook"'),),
    }.get(provider, (("secret", f'secret = "file:~/.config/podvisor/dns-{provider}"'),))
    for word, hint in needs:
        if not table.get(word) and (*key, word) not in wrong:
            yield Problem((*key, "provider"), f"“{provider}” needs “{word}”", hint)
    pair = ("key_name", "secret")
    for word, other in (pair, pair[::-1]) if provider == RFC2136 else ():
        if table.get(word) and not table.get(other) and (*key, other) not in wrong:
            yield Problem((*key, word), f"“{word}” needs “{other}”", "a TSIG key has both")
    idle = () if provider == RFC2136 else _RFC2136_ONLY
    idle = idle if provider == HOOK else (*idle, "hook")
    idle = (*idle, "secret") if provider == HOOK else idle
    for word in idle:
        if table.get(word):
            message = f"“{word}” does nothing for the provider “{provider}”"
            yield Problem((*key, word), message, "leave it out", fatal=False)
