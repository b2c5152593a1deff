"""The text of the page's own units, as `setup` writes them: a socket, and who answers on it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import supervisor
from supervisor.cli.local.unit_file import command_line
from supervisor.model.web_settings import WebSettings

_CREDENTIAL = "page-token"
"""By which the service finds a token that is in a file."""
SOCKET, SERVICE = "podvisor-web.socket", "podvisor-web.service"

_SOCKET_TEXT = """\
# Written by `podvisor setup` from [web] of the settings.

[Unit]
Description=podvisor's page

[Socket]
ListenStream={listen}
# Of a socket in a folder: nobody but this user, with what runs as root of its containers.
SocketMode=0600

[Install]
WantedBy=sockets.target
"""

_SERVICE_TEXT = """\
# Written by `podvisor setup` from [web] of the settings; podvisor-web.socket starts it.

[Unit]
Description=podvisor's page, for as long as somebody looks
# It ends and begins as people look; the socket stops what fails again and again.
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Environment=PYTHONDONTWRITEBYTECODE=1
# It speaks TLS with nobody, but aiohttp would read all certificate authorities, twice, each time
# that it begins.
Environment=SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/dev/null
TimeoutStopSec=5s
Slice=session.slice
UMask=0077
MemoryMax=256M
TasksMax=16

{token}{alone}RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""


_SESSIONS = """\
# systemd keeps who has logged in while nobody looks.
FileDescriptorStoreMax=1
FileDescriptorStorePreserve=yes
NotifyAccess=main
"""
_ALONE = """\
# It sees the daemon's sockets for the page, and of the user's files no other. There is no network:
# what comes in comes by the socket that systemd hands over.
ProtectHome=tmpfs
BindReadOnlyPaths={libraries}
BindReadOnlyPaths={sockets}
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
"""
_NOT_ALONE = """\
# This systemd cannot give it a place of its own (user namespaces are not allowed to it).
"""


def page_units(web: WebSettings, *, python: Sequence[str], alone: bool) -> dict[str, str]:
    """Return the units by name; none where nobody is to look.

    `python` calls this podvisor; `alone`: this systemd can give a service a place of its own.
    """
    if not web.listen:
        return {}
    words = [*python, "web", "--idle", f"{web.idle:g}"]
    for name in web.hosts:
        words += ["--host", name]
    if web.actions:
        words.append("--actions")
    if web.require_login:
        words.append("--require-login")
    if web.user_header:
        words += ["--user-header", web.user_header]
    token = ""
    if web.token:
        token, name = _SESSIONS, web.token.place
        if web.token.kind == "file":
            token += f"LoadCredential={_CREDENTIAL}:{_escaped(Path(name).expanduser())}\n"
            name = _CREDENTIAL
        words += ["--token", f"credential:{name}"]
    sockets = ("questions", *(["page-orders"] if web.actions else []))
    listen = str(Path(web.listen).expanduser()) if web.listen[0] in "/~" else web.listen
    libraries = dict.fromkeys((sys.prefix, str(Path(supervisor.__file__).parents[1])))
    bound = " ".join(f'"{_escaped(path)}"' for path in libraries)
    seen = " ".join(f"-%t/podvisor/{name}" for name in sockets)
    if web.token:
        seen += "\nBindReadOnlyPaths=-%t/systemd/notify"
    return {
        SOCKET: _SOCKET_TEXT.format(listen=_escaped(listen)),
        SERVICE: _SERVICE_TEXT.format(
            command=command_line(words),
            token=token,
            alone=_ALONE.format(libraries=bound, sockets=seen) if alone else _NOT_ALONE,
        ),
    }


def _escaped(path: Path | str) -> str:
    return str(path).replace("%", "%%")
