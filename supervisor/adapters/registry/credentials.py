"""Who logs in at a registry: containers-auth.json(5), in the order in which Podman looks.

Clear texts are in no repr, and in no failure.
"""

import base64
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import msgspec

from supervisor.core.images.reference import full_name, name_and_tag, with_parents
from supervisor.kit.json_reading import read_json
from supervisor.kit.process import ProcessError, run
from supervisor.model.errors import Retry, Stalled
from supervisor.model.podman import PullLogins

_LARGEST_FILE = 256 << 10
"""Podman takes logins for a pull in a header, of 1 MiB at most."""
_HELPER_SECONDS = 30.0
_HELPER_LIMIT = 64 << 10
_HELPER = re.compile(r"[\w.-]+", re.ASCII)
_DOCKER_HUB = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")
_NOTHING_FOUND = "credentials not found"
_BY_TOKEN = "<token>"  # noqa: S105  # stands where a name would


class Login(msgspec.Struct, frozen=True):
    """What to show a registry; its repr does not hold it."""

    user: str
    password: str
    identity_token: str = ""
    """To be exchanged for others; without a password then."""

    def __repr__(self) -> str:
        return "Login(…)"

    @property
    def basic(self) -> str:
        """Value of an Authorization header."""
        pair = f"{self.user}:{self.password or self.identity_token}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, in every form in which it is sent."""
        clear = tuple(filter(None, (self.password, self.identity_token)))
        return (*clear, *map(quote_plus, clear), self.basic.removeprefix("Basic "))


class _Entry(msgspec.Struct):
    auth: str = ""
    identitytoken: str = ""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "_Entry(…)"


class _File(msgspec.Struct):
    auths: dict[str, _Entry] = {}
    credHelpers: dict[str, str] = {}  # noqa: N815  # as the file has it
    credsStore: str = ""  # noqa: N815


class _Told(msgspec.Struct):
    """What a helper prints."""

    Username: str = ""
    Secret: str = ""

    def __repr__(self) -> str:
        return "_Told(…)"


class Logins(msgspec.Struct):
    """Looks logins up; each file is read, and each helper asked, once."""

    _places: dict[str, tuple[Path, ...]] = {}
    _files: dict[Path, _File | None] = {}
    _told: dict[tuple[str, str], Login | None] = {}

    def __repr__(self) -> str:
        return "Logins(…)"

    async def find(self, host: str, path: str, *, authfile: str = "") -> Login | None:
        """Return the login for a repository, of the first file that has one; None if none has.

        `authfile` counts alone, if given. Raises Stalled (a file cannot be used) or Retry (a
        helper fails).
        """
        if authfile not in self._places:
            self._places[authfile] = tuple(auth_files(authfile))
        for place in self._places[authfile]:
            if place not in self._files:
                self._files[place] = _read(place, is_asked_for=bool(authfile))
            file = self._files[place]
            if file and (found := await self._find_in(file, place, host, path)):
                return found
        return None

    async def for_pull(self, image: str, authfile: str) -> PullLogins:
        """Return all logins of a file, for the mirrors too; only the image's own of a helper.

        Raises as `find`.
        """
        host, _, path = full_name(name_and_tag(image)[0]).partition("/")
        own = await self.find(host, path, authfile=authfile)
        (place,) = self._places[authfile]
        file = self._files[place] or _File()
        found = {key: _login(entry, place, key) for key, entry in file.auths.items()}
        if own and own not in found.values():
            found[host] = own
        if own and own.identity_token:
            raise Stalled(
                f"cannot pull {image}: {authfile} has an identity token for {host}, and Podman"
                " takes only names and passwords along with a pull",
                hint=f"podman login --authfile {authfile} {host}, with a name and a password",
            )
        config = {
            key: {"username": one.user, "password": one.password}
            for key, one in found.items()
            if one and not one.identity_token
        }
        return PullLogins(config=msgspec.json.encode(config), has_login=own is not None)

    async def _find_in(self, file: _File, place: Path, host: str, path: str) -> Login | None:
        if helper := file.credHelpers.get(host):
            return await self._ask(helper, host)
        for key in with_parents(f"{host}/{path}"):
            if (entry := file.auths.get(key)) and (login := _login(entry, place, key)):
                return login
        for key, entry in file.auths.items():
            if _host_of(key) == host and (login := _login(entry, place, key)):
                return login
        if file.credsStore:
            return await self._ask(file.credsStore, _DOCKER_HUB[0] if host == "docker.io" else host)
        return None

    async def _ask(self, helper: str, host: str) -> Login | None:
        if (helper, host) not in self._told:
            self._told[helper, host] = await _ask_helper(helper, host)
        return self._told[helper, host]


def auth_files(authfile: str = "") -> Iterator[Path]:
    """Yield the files that may hold a login, in order; one that is named counts alone."""
    if named := authfile or os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named).expanduser()
        return
    home = Path.home()
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    yield home / ".dockercfg"


def _host_of(key: str) -> str:
    """Return the registry of a key as Docker writes them: `https://HOST/v1/`; else nothing."""
    bare = key.removeprefix("https://").removeprefix("http://")
    host, _, rest = bare.partition("/")
    if bare == key or rest.strip("/") not in ("", "v1", "v2"):
        return "docker.io" if key in _DOCKER_HUB else ""
    return "docker.io" if host in _DOCKER_HUB else host


def _read(path: Path, *, is_asked_for: bool) -> _File | None:
    doing = f"cannot read logins from {path}"
    hint = "see man containers-auth.json; podman login writes it"
    try:
        with open(path, "rb", opener=_opened) as file:  # which takes no opener
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISCHR(mode):
                return None  # /dev/null, where nobody's login is to be taken
            if not stat.S_ISREG(mode):
                raise Stalled(f"{doing}: it is no regular file", hint=hint)
            if is_asked_for and mode & stat.S_IROTH:
                raise Stalled(f"{doing}: everybody can read it", hint=f"chmod o= {path}")
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise Stalled(f"{doing}: it is larger than {_LARGEST_FILE} bytes", hint=hint)
        if path.name == ".dockercfg":
            return _File(auths=msgspec.json.decode(content, type=dict[str, _Entry]))
        return msgspec.json.decode(content, type=_File) if content.strip() else None
    except (FileNotFoundError, NotADirectoryError):
        if is_asked_for:
            raise Stalled(f"{doing}: there is no such file", hint=hint) from None
        return None
    except OSError as error:
        raise Stalled(f"{doing}: {error.strerror}", hint=f"let this user read {path}") from None
    except (ValueError, RecursionError):
        # What is wrong with it could be said only with what stands there.
        raise Stalled(f"{doing}: it is not as it should be", hint=hint) from None


def _opened(path: str, flags: int) -> int:
    # A FIFO must not hold up everything.
    return os.open(path, flags | os.O_NONBLOCK)


def _login(entry: _Entry, place: Path, key: str) -> Login | None:
    user, password = entry.username, entry.password
    if entry.auth:
        try:
            pair = base64.b64decode(entry.auth, validate=True).decode()
        except ValueError:
            raise Stalled(
                f"cannot use the login for {key} in {place}: it is not as it should be",
                hint=f"podman login {key}",
            ) from None
        user, _, password = pair.partition(":")
        password = password.rstrip("\0")
    if entry.identitytoken:
        return Login(user, "", entry.identitytoken)
    return Login(user, password) if user and password else None


async def _ask_helper(name: str, host: str) -> Login | None:
    """Have `docker-credential-NAME` tell; its protocol is docker/docker-credential-helpers."""
    program = f"docker-credential-{name}"
    if not _HELPER.fullmatch(name):
        raise Stalled("cannot log in: a credential helper has an odd name", hint="mend auth.json")
    try:
        done = await run(
            [program, "get"],
            stdin=host.encode(),
            timeout_seconds=_HELPER_SECONDS,
            output_limit=_HELPER_LIMIT,
        )
    except OSError as error:
        raise Stalled(
            f"cannot log in at {host}: {program} cannot be run: {error.strerror}",
            hint=f"install {program} where podvisor and Podman look, as in /usr/local/bin (what the"
            " shell's own PATH has is not theirs), or take it out of auth.json",
        ) from None
    except ProcessError as error:
        raise Retry(f"cannot log in at {host}: {error}") from None
    if done.code:
        if _NOTHING_FOUND in done.output.decode(errors="replace").lower():
            return None
        raise Retry(f"cannot log in at {host}: {program} ends with {done.code}")
    told = read_json(done.output, _Told)
    if told is None:
        raise Retry(f"cannot log in at {host}: {program} answers oddly")
    if not told.Secret:
        return None
    if told.Username == _BY_TOKEN:
        return Login("", "", told.Secret)
    return Login(told.Username, told.Secret)
