"""What must hold for the page as a whole, beyond the rules of its fields: who may reach what."""

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from supervisor.core.config.problem import Problem, shown_text
from supervisor.core.config.toml_lines import Path
from supervisor.core.githost.client_address import parse_listen

_SECTION: Path = ("web",)
_EXAMPLE = 'token = "file:~/.config/podvisor/page-token"'
_EXAMPLE_HINT = f"such as {_EXAMPLE}; podvisor web --help says how it is made"
_EVERYBODY_HINT = (
    "write 127.0.0.1:9079 or [::1]:9079, for a reverse proxy that asks who it is; or say a token: "
    f"{_EXAMPLE}"
)


def web_problems(web: Mapping[str, Any], wrong: Collection[Path]) -> Iterator[Problem]:
    """Check all of `[web]`; `wrong` holds what was complained of already."""
    said = {name: value for name, value in web.items() if (*_SECTION, name) not in wrong}
    listen, token = str(said.get("listen", "")), str(said.get("token", ""))
    header, actions = str(said.get("user_header", "")), said.get("actions", False)
    is_closed = said.get("require_login", False)
    if token.startswith("podman:"):
        hint = f"the page has no Podman: {_EXAMPLE}, or credential:NAME"
        yield Problem((*_SECTION, "token"), "“token” cannot be a secret of Podman's", hint)
    unread = {(*_SECTION, "token"), (*_SECTION, "user_header")} & {*wrong}
    if actions and not (token or header or unread):
        message = "nobody can order anything: there is no way to know who it is"
        yield Problem((*_SECTION, "actions"), message, _EXAMPLE_HINT)
    if is_closed and not (token or header or unread):
        message = "nobody could look: there is no way to know who it is"
        yield Problem((*_SECTION, "require_login"), message, _EXAMPLE_HINT)
    if is_for_all(listen):
        if header:
            message = f"whoever reaches {shown_text(listen)} can write “{header}”, and be anybody"
            hint = 'have it listen where only the proxy is: listen = "~/page/page.sock"'
            yield Problem((*_SECTION, "user_header"), message, hint)
        elif not token and (*_SECTION, "token") not in wrong:
            message = f"{shown_text(listen)} is for everybody who reaches this machine"
            yield Problem((*_SECTION, "listen"), message, _EVERYBODY_HINT)
    elif header and (actions or is_closed) and listen and not is_socket(listen):
        message = f"whatever runs on this machine can write “{header}” to {shown_text(listen)}"
        hint = 'have it listen where only the proxy is: listen = "~/page/page.sock"'
        yield Problem((*_SECTION, "user_header"), message, hint, fatal=False)


def is_socket(listen: str) -> bool:
    """Whether that is the path of a Unix socket."""
    return listen.startswith(("/", "~"))


def is_for_all(listen: str) -> bool:
    """Whether others than this machine reach it; what cannot be read does not count."""
    if not listen or is_socket(listen):
        return False
    try:
        return not ipaddress.ip_address(parse_listen(listen)[0]).is_loopback
    except ValueError:
        return False
