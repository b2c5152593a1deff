"""What texts of the settings are, by the names that their rules have for it (`Rule.format`).

Nothing is looked at outside: what is there, or answers, shows when the source is read. What reads
windows and registries is loaded where the settings have some.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import partial

from supervisor.core.config import overlay_setting
from supervisor.core.config.problem import Problem, shown_text
from supervisor.core.config.toml_lines import Path
from supervisor.core.files.domains import WILDCARD, is_address, parse_domain
from supervisor.core.files.source_paths import glob_problem
from supervisor.core.files.unitfile import Refused
from supervisor.core.githost.client_address import parse_listen
from supervisor.core.githost.hosts.registry import APIS, HOSTS
from supervisor.core.registryhost.senders.registry import senders
from supervisor.kit import texts
from supervisor.model.git_url import GitUrl
from supervisor.model.notify_settings import NotifyKind
from supervisor.model.setting_rule import PATH, PATH_HINT

_Check = Callable[[Path, str], Iterator[Problem]]
_GIT_SCHEMES = ("https", "http", "ssh", "git+ssh", "file")
_HOST_LINE = re.compile(r"\s*(?:#.*|(?:\S+\s+){2}\S[^\x00-\x1f\x7f]*)?")
_LISTEN_HINT = "write ADDRESS:PORT, such as 127.0.0.1:9078, 0.0.0.0:9078 or [::]:9078"
_RESOLVER_HINT = 'write addresses, such as "9.9.9.9", "127.0.0.1:5353" or "[2620:fe::fe]:53"'
_PAGE_HINT = (
    "write 127.0.0.1:9079 or [::1]:9079; others come by a reverse proxy, which asks who it is"
)
_NO_NAMES = ("authorization", "connection", "cookie", "content-length", "host", "origin")
_NETWORK_HINT = 'write addresses and networks, such as "127.0.0.1", "10.0.0.0/8"'
_GIT_HINT = "write https://…, ssh://…, user@host:path or file:///…"


def _git(key: Path, text: str) -> Iterator[Problem]:
    url = GitUrl(text)
    odd = not url.isprintable() or url != url.strip() or url.startswith("-")
    if odd or (" " in url and url.scheme in _GIT_SCHEMES):
        yield Problem(key, f"cannot use {shown_text(url)} as the URL of a Git repository")
        return
    if url.fault:
        yield Problem(key, f"cannot read the URL of the Git repository: {url.fault}")
    elif url.startswith(("/", "~", ".")):
        hint = f"write file://{url if url.startswith('/') else '/…'}, or use “folder”"
        yield Problem(key, f"“{url}” is a path, not a URL", hint)
    elif not url.scheme:
        yield Problem(key, f"“{url}” is not the URL of a Git repository", _GIT_HINT)
    elif url.scheme not in _GIT_SCHEMES:
        message = f"cannot fetch “{url.shown}”: {url.scheme}:// is not supported"
        yield Problem(key, message, _GIT_HINT)
    elif url.scheme == "file":
        if url.host or not url.path.startswith("/"):
            hint = "write three slashes: file:///srv/…"
            yield Problem(key, f"“{url.shown}” is not absolute", hint)
    elif not url.host or not url.repository:
        yield Problem(key, f"“{url.shown}” names no repository", "write https://HOST/PATH")
    elif url.scheme == "http" and not url.is_local:
        hint = "whoever is on the way can decide what runs here; use https://"
        yield Problem(key, f"“{url.shown}” is not encrypted", hint, fatal=False)
    if url.password is not None:
        hint = (
            "whoever reads this file has it; use “password”, which says where it is, or an SSH key"
        )
        yield Problem(key, f"“{url.shown}” holds a password", hint, fatal=False)


def _artifact(key: Path, text: str) -> Iterator[Problem]:
    from supervisor.core.images.reference import parse_reference  # noqa: PLC0415

    try:
        host = "" if "://" in text else parse_reference(text).host
    except Refused:
        host = ""
    if host in ("", "localhost"):
        hint = "write HOST/NAME:TAG, such as registry.example.org/me/apps:main"
        yield Problem(key, f"{shown_text(text)} names no artifact in a registry", hint)


def _folder(key: Path, text: str) -> Iterator[Problem]:
    if not text.isprintable():
        yield Problem(key, f"cannot use {shown_text(text)} as a folder")
    elif text != "~" and not text.startswith(("/", "~/")):
        hint = f"write it from the root, or ~/{text.removeprefix('./')}"
        yield Problem(key, f"the folder “{text}” is relative", hint)


def _glob(key: Path, text: str) -> Iterator[Problem]:
    if why := glob_problem(key[-1], text):
        hint = "it is looked up within the source, such as apps/*"
        yield Problem(key, f"“{key[-1]}” cannot be {shown_text(text)}: {why}", hint)


def _overlay(key: Path, text: str) -> Iterator[Problem]:
    if why := overlay_setting.problem(text):
        yield Problem(key, f"cannot use {shown_text(text)} as an overlay: {why}")


def _known_hosts(key: Path, text: str) -> Iterator[Problem]:
    if text.startswith(("/", "~")):
        if not re.fullmatch(PATH, text):
            yield Problem(key, "“known_hosts” names no file", PATH_HINT)
    elif not all(_HOST_LINE.fullmatch(line) for line in text.splitlines()):
        hint = 'a path, or the lines that ssh-keyscan HOST prints, between """ and """'
        yield Problem(key, "“known_hosts” holds no lines of that kind", hint)


def _status_host(key: Path, text: str) -> Iterator[Problem]:
    if text not in APIS:
        hint = f"there are {', '.join(APIS)}"
        yield Problem(key, f"cannot tell a Git host {shown_text(text)}", hint)


def _webhook_host(key: Path, text: str) -> Iterator[Problem]:
    if text not in HOSTS:
        message = f"no webhooks are known that are called {shown_text(text)}"
        yield Problem(key, message, texts.meant(text, HOSTS))


def _webhook_sender(key: Path, text: str) -> Iterator[Problem]:
    if text not in senders():
        message = f"no registry's webhooks are known that are called {shown_text(text)}"
        yield Problem(key, message, texts.meant(text, senders()))


def _registry(key: Path, text: str) -> Iterator[Problem]:
    from supervisor.core.registryhost.names import is_registry  # noqa: PLC0415

    if not is_registry(text.lower()):
        hint = "write HOST or HOST:PORT, without https:// and without a path"
        yield Problem(key, f"{shown_text(text)} is no registry", hint)


def _page(key: Path, text: str) -> Iterator[Problem]:
    """Check where the page is; who may come there, only all of its settings can say."""
    if text.startswith(("/", "~/")):
        if not re.fullmatch(PATH, text):
            yield Problem(key, f"{shown_text(text)} is no path of a socket", PATH_HINT)
        return
    try:
        parse_listen(text)
    except ValueError as error:
        yield Problem(key, f"cannot listen on {shown_text(text)}: {error}", _PAGE_HINT)


def _header(key: Path, text: str) -> Iterator[Problem]:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{1,63}", text) or text.lower() in _NO_NAMES:
        hint = "as the proxy names it, such as Remote-User or X-Forwarded-User"
        yield Problem(key, f"{shown_text(text)} is no header that says who it is", hint)


def _name(key: Path, text: str) -> Iterator[Problem]:
    try:
        known = is_address(text) or parse_domain(text, ports="a host counts at all ports")
    except Refused as refused:
        yield Problem(key, f"{shown_text(text)} is no name: {refused}", refused.hint)
        return
    if isinstance(known, str) and known.startswith(WILDCARD):
        yield Problem(key, f"{shown_text(text)} is no name", "write each name by itself")


def _by(parse: Callable[[str], object], doing: str, hint: str) -> _Check:
    """Make the check of a text that `parse` can read, or says why not."""

    def check(key: Path, text: str) -> Iterator[Problem]:
        try:
            parse(text)
        except ValueError as error:
            yield Problem(key, f"cannot {doing} {shown_text(text)}: {error}", hint)

    return check


def _resolver(text: str) -> object:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        host, _, port = text.rpartition(":")
        if _is_name(host if port.isdigit() else text):
            raise ValueError("it is a name, and no address") from None
        return parse_listen(text)


def _host(key: Path, text: str) -> Iterator[Problem]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 1 << 16:
        host = text
    if not is_address(host) and not _is_name(host):
        yield Problem(key, f"{shown_text(text)} is no server", "write HOST or HOST:PORT")


def _is_name(host: str) -> bool:
    try:
        return not is_address(host) and not parse_domain(host).startswith(WILDCARD)
    except Refused:
        return False


def _url(key: Path, text: str, *, encrypted: bool = False) -> Iterator[Problem]:
    url = GitUrl(text)
    if text and not (url.over_http and url.host and text.isprintable()):
        yield Problem(key, f"{shown_text(text)} is no URL", "write https://…")
    elif encrypted and url.scheme != "https" and not url.is_local:
        message = f"cannot trust what {shown_text(text)} says: it is not encrypted"
        yield Problem(key, message, "write https://…")


def _staging(key: Path, text: str) -> Iterator[Problem]:
    """Take an issuer's name as well: whether there is one of it, only all of them can say."""
    if "://" in text:
        yield from _url(key, text, encrypted=True)


def _calendar(key: Path, text: str) -> Iterator[Problem]:
    from supervisor.core.images.calendar import parse_window  # noqa: PLC0415

    try:
        parse_window(text)
    except Refused as refused:
        yield Problem(key, str(refused), refused.hint)


def _notify_event(key: Path, text: str) -> Iterator[Problem]:
    kinds = tuple(map(str, NotifyKind))
    if text not in kinds:
        hint = texts.meant(text, kinds)
        yield Problem(key, f"notifiers tell of nothing that is called {shown_text(text)}", hint)


def _digest(key: Path, text: str) -> Iterator[Problem]:
    from supervisor.core.notify.when import check_digest  # noqa: PLC0415

    try:
        check_digest(text)
    except Refused as refused:
        yield Problem(key, str(refused), refused.hint)


def _quiet(key: Path, text: str) -> Iterator[Problem]:
    from supervisor.core.notify.when import check_quiet  # noqa: PLC0415

    try:
        check_quiet(text)
    except Refused as refused:
        yield Problem(key, str(refused), refused.hint)


FORMATS: dict[str, _Check] = {
    "git": _git,
    "artifact": _artifact,
    "folder": _folder,
    "glob": _glob,
    "overlay": _overlay,
    "known-hosts": _known_hosts,
    "status-host": _status_host,
    "webhook-host": _webhook_host,
    "webhook-sender": _webhook_sender,
    "registry": _registry,
    "host": _host,
    "resolver": _by(_resolver, "ask", _RESOLVER_HINT),
    "listen": _by(parse_listen, "listen on", _LISTEN_HINT),
    "page": _page,
    "header": _header,
    "name": _name,
    "network": _by(ipaddress.ip_network, "trust", _NETWORK_HINT),
    "url": _url,
    "calendar": _calendar,
    "notify-event": _notify_event,
    "digest": _digest,
    "quiet": _quiet,
    "issuer": partial(_url, encrypted=True),
    "staging": _staging,
}
