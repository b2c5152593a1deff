"""Which certificates a unit uses, found in the unit as the generator prints it, and in its YAML.

A path at or below podvisor's own place of a certificate, or the `Directory=` of one of its own app,
wherever it stands in what systemd runs.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.certificate_files import CERTIFICATES, directory_of
from supervisor.core.files.unitfile import Entry, expand
from supervisor.model.certificate import CertificateUse
from supervisor.model.errors import Finding

BINDS = ("-v", "--volume", "--mount")
_BOUND = tuple(f"{option}=" for option in BINDS)
_DEVICE = "device="
"""Before what `podman volume create --opt` binds."""
_BIND_KEYS = frozenset({"BindPaths", "BindReadOnlyPaths"})
_READ_ONCE = frozenset(
    {"EnvironmentFile", "LoadCredential", "LoadCredentialEncrypted", "StandardInput"}
)
"""Keys of [Service] whose files systemd reads when it starts the unit, and not again."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_PLACE = "/podvisor/certificates"
"""Of podvisor's own places, below the user's folder of data."""
_INSTANCE = re.compile("%[iInN]")
_ENDS = r"[:,;\s'\"]"


class CertificateUses:
    """Collects the certificates that one unit uses."""

    def __init__(self, files: AppFiles, path: str, *, root: str, home: str) -> None:
        """Begin with nothing; `root` is the folder of podvisor's own places, or empty."""
        self._files = files
        self._path = path
        self._root = root
        self._home = home
        self._directories = dict(_directories(files, home))
        self._data = {"D": root.removesuffix(_PLACE)} if root.endswith(_PLACE) else {}
        self._uses: dict[tuple[str, str], CertificateUse] = {}
        self.findings: list[Finding] = []

    @property
    def uses(self) -> tuple[CertificateUse, ...]:
        """Each certificate once (of a template: for each of its instances), sorted by name."""
        return in_order(self._uses.values())

    def look_at_word(
        self,
        word: str,
        entry: Entry,
        before: str,
        *,
        known: Mapping[str, str],
        instances: Mapping[str, Mapping[str, str]] | None,
    ) -> None:
        """Take in a word of a command, or of another value, that comes after `before`.

        `known` are specifiers; `instances` those of each instance of a template, None of any other.
        """
        seen = self._expanded(word, known)
        if instances is None or "/" not in seen or not _INSTANCE.search(seen):
            self._look(seen, entry, before, known)
            return
        for instance, its in instances.items():
            self._look(self._expanded(word, its), entry, before, its, instance=instance)
        if not instances and self._root and f"{self._root}/" in seen:
            message = "names a certificate of each instance: it is not known which there are"
            hint = "say DefaultInstance= or Replicas=, or give each instance a file of its own"
            self._tell(message, hint, self._written(known, self._root, *self._directories))

    def _look(
        self, word: str, entry: Entry, before: str, known: Mapping[str, str], instance: str = ""
    ) -> None:
        for name, within, own in self._named(word):
            if not name:
                message = "names the folder of all certificates: it is not known which it uses"
                hint = f"name that of each: {self._root}/NAME"
                self._tell(message, hint, self._written_of(name, known, own=own))
                continue
            fixed = _is_fixed(word, entry, before, within)
            at = self._written_of(name, known, own=own)
            path, line = (at.path, at.line) if at else (self._path, 0)
            self._add(
                CertificateUse(
                    name=name,
                    fixed=fixed,
                    own_place=own,
                    path=path,
                    line=line,
                    instance=instance,
                )
            )

    def _expanded(self, word: str, known: Mapping[str, str]) -> str:
        return expand(word, {**self._data, **known}) if "%" in word else word

    def _tell(self, message: str, hint: str, at: Entry | None) -> None:
        found = self._files.finding(message, at=at, path=self._path, hint=hint, fatal=False)
        if found not in self.findings:
            self.findings.append(found)

    def look_at_mount(self, host_path: str, *, fixed: bool, path: str, line: int) -> None:
        """Take in a path of the host that a pod mounts, as the file at `path` says."""
        for name, within, own in self._named(posixpath.normpath(host_path)):
            if name:
                once = fixed or bool(within)
                self._add(
                    CertificateUse(name=name, fixed=once, own_place=own, path=path, line=line)
                )

    def _add(self, use: CertificateUse) -> None:
        key = use.name, use.instance
        known = self._uses.setdefault(key, use)
        told = use if (use.own_place, use.fixed) > (known.own_place, known.fixed) else known
        self._uses[key] = replace(told, fixed=use.fixed or known.fixed)

    def _named(self, word: str) -> Iterator[tuple[str, str, bool]]:
        """Yield each certificate that a word names, the path within its folder, and whose that is.

        Whether it is podvisor's own place of it.
        """
        for rest in _after(word, self._root) if self._root else ():
            name, _, within = rest.partition("/")
            if not name or _NAME.fullmatch(name):
                yield name, within, True
        for directory, name in self._directories.items():
            for rest in _after(word, directory):
                yield name, rest, False

    def _written_of(self, name: str, known: Mapping[str, str], *, own: bool) -> Entry | None:
        """Return the assignment in the unit's own files that names a certificate."""
        places = [f"{self._root}/{name}".rstrip("/")]
        if not own:
            places = [folder for folder, one in self._directories.items() if one == name]
        return self._written(known, *places)

    def _written(self, known: Mapping[str, str], *places: str) -> Entry | None:
        def names(entry: Entry) -> bool:
            value = self._expanded(entry.value, known).replace("~/", f"{self._home}/")
            return any(True for place in places for _ in _after(value, place))

        return self._files.find_entry(self._path, names)


def in_order(uses: Iterable[CertificateUse]) -> tuple[CertificateUse, ...]:
    """Return uses sorted by the certificate's name, and by instance."""
    return tuple(sorted(uses, key=lambda use: (use.name, use.instance)))


def _directories(files: AppFiles, home: str) -> Iterator[tuple[str, str]]:
    """Yield the `Directory=` of the app's own certificates, each with its name."""
    for path in files.ending(CERTIFICATES.suffix):
        text = files.unit_file(path).last(CERTIFICATES.section, "Directory")
        directory = directory_of(text, home)
        if directory.startswith("/") and directory.strip("/"):
            yield directory, posixpath.basename(path).removesuffix(CERTIFICATES.suffix)


def _after(word: str, folder: str) -> Iterator[str]:
    """Yield the path below a folder, wherever a word names the folder or something in it."""
    if folder not in word:
        return
    for found in re.finditer(rf"{re.escape(folder)}(?=/|{_ENDS}|\Z)", word):
        written = re.split(_ENDS, word[found.end() :], maxsplit=1)[0]
        below = posixpath.normpath(written.lstrip("/") or ".")
        if below.partition("/")[0] != "..":
            yield "" if below == "." else below


def _is_fixed(word: str, entry: Entry, before: str, within: str) -> bool:
    """Whether the unit sees another certificate only when it is started anew."""
    if word.startswith(_DEVICE):
        return bool(within)
    if before in BINDS or word.startswith(_BOUND) or entry.key in _BIND_KEYS:
        options = word.split(":")[2:]
        return bool(within) or any("O" in option.split(",") for option in options)
    return entry.key in _READ_ONCE or before == "--env-file" or word.startswith("--env-file=")
