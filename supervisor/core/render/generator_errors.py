"""What Podman's generator says on its error stream, as findings: the file, the line, its own words.

Two forms are in use: up to 5.5 all errors come as one joined message at the end, later each in a
line of its own with the program's name before it. Both are read line by line.
"""

import codecs
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.names import is_drop_in
from supervisor.core.files.redact import OPEN_KEYS, redacted
from supervisor.core.files.unitfile import Entry
from supervisor.core.render.reading import Reading
from supervisor.kit.texts import nearest
from supervisor.model.app import Candidate
from supervisor.model.errors import Finding
from supervisor.model.quadlet import QUADLETS
from supervisor.model.source import FileKind

_PROGRAM = re.compile(r"^quadlet-generator\[\d+\]: ")
_CONVERTING = re.compile(r'^converting "(?P<name>[^"]+)": (?P<words>.*)')
_LOADING = re.compile(r'^error loading "(?P<path>[^"]+)", (?P<words>.*)')
_WARNING = re.compile(r"^Warning: (?P<name>\S+) (?P<words>.*)")
_NOISE = re.compile(r"^(Loading source |processing encountered some errors)")

_LINE = re.compile(r"\bline (\d+)\b")
_QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"|“([^”]+)”")
_REFERENCE = re.compile(r"[^\s'\"=:,]+\.(?:" + "|".join(s[1:] for s in QUADLETS) + r")\b")
_KEY = re.compile(r"\b([A-Z]\w+)(?: key|=)")
_CAPITALISED = re.compile(r"\b[A-Z]\w+\b")
_WORD = re.compile(r"[a-z]+\b")
_NO_SOURCE = re.compile(r"(?!.*\btype=(?:tmpfs|devpts|ramfs)\b)(?!.*\b(?:source|src)=[^,])")
"""Value of a Mount= that lacks a source, of which Podman says no more than that."""
_OF_A_REPLICA = re.compile(r"requested Quadlet source (\S*%[iI]\S*)\.volume was not found")
_GARBAGE = "which is not a key-value pair"
_GROUP = re.compile(r"in group '([^']+)'")
_UNKNOWN = re.compile(r"unsupported key '([^']+)'")
_OTHER_KEYS = """
    AddCapability AddHost Annotation Arch AuthFile BuildArg CertDir Copy Creds DecryptionKey
    DisableDNS DropCapability Entrypoint Environment EnvironmentHost Exec ExitCodePropagation
    ForceRM GlobalArgs HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount
    HealthMaxLogSize HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd
    HealthStartupInterval HealthStartupRetries HealthStartupSuccess HealthStartupTimeout
    HealthTimeout IPAMDriver IgnoreFile Internal KubeDownForce Label LogOpt Mask NoNewPrivileges
    Options PidsLimit PodmanArgs ReadOnly ReadOnlyTmpfs Retry RetryDelay RunInit SeccompProfile
    Secret SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested
    SecurityLabelType StartWithPod Sysctl TLSVerify Target Unmask Variant
"""
"""Those of podman-systemd.unit(5) whose values may be secret."""


def quadlet_files(app: Candidate) -> list[str]:
    """Paths of the files that the generator makes units of, symlinked instances included."""
    return [file.path for file in app.files if file.path.endswith(tuple(QUADLETS))]


def read_refusals(errors: str, readings: Mapping[str, Reading], stage: str) -> None:
    """Add what the generator refused or warned of to the reading of the app that it means."""
    named = {
        posixpath.basename(path): (reading, path)
        for reading in readings.values()
        for path in quadlet_files(reading.files.app)
    }
    for raw in errors.splitlines():
        line = _PROGRAM.sub("", raw)
        if not line or _NOISE.match(line):
            continue
        owner = None
        if match := _CONVERTING.match(line) or _WARNING.match(line):
            owner = named.get(match["name"])
        elif match := _LOADING.match(line):
            app, _, path = match["path"].removeprefix(f"{stage}/").partition("/")
            owner = (readings[app], path) if app in readings else None
        if match is None or owner is None:
            continue  # of files that are not ours, or no message on a file
        fatal = match.re is not _WARNING
        reading, path = owner
        words = match["words"].replace(f"{stage}/{reading.files.app.name}/", "")
        reading.findings.append(_finding(reading.files, path, words, fatal=fatal))


def report_missing(reading: Reading) -> None:
    """Refuse an app of whose files one became no unit, although nothing was said of it.

    The backstop for messages that are not understood, or lost.
    """
    if reading.refused:
        return
    made = {unit.path for unit in reading.units}
    for path in quadlet_files(reading.files.app):
        if path not in made:
            suffix = posixpath.splitext(path)[1]
            message = "Podman's generator made no unit of it and did not say why"
            hint = "this version of Podman may not know this kind of file"
            if first := QUADLETS[suffix].since:
                hint = f"Podman knows {suffix} files from {first} on: podman --version"
            reading.report(message, path=path, hint=hint)


def report_twice(reading: Reading) -> None:
    """Refuse an app of which two files, or two units, have the same name."""
    first: dict[str, str] = {}
    for path in quadlet_files(reading.files.app):
        name = posixpath.basename(path)
        if first.setdefault(name, path) != path:
            message = f"another file is named {name} as well: {first[name]}; Quadlet reads only one"
            reading.report(message, path=path, hint="rename one of them")
    units = {unit.name: unit.path for unit in reversed(reading.units)}
    named = {name: unit.path for unit in reading.units for name in unit.runtime_names} | units
    objects: dict[tuple[str, str], str] = {}
    for unit in reading.units:
        if units[unit.name] != unit.path:
            message = f"{unit.name} comes out of {units[unit.name]} as well"
            hint = "rename one of the files, or give one a ServiceName="
            reading.report(message, path=unit.path, hint=hint)
            continue
        for alias in unit.aliases:
            if named.setdefault(alias, unit.path) != unit.path:
                message = f"Alias={alias} is the name of what comes out of {named[alias]} as well"
                hint = "take it out, or give one another name"
                reading.report(message, path=unit.path, hint=hint)
        for kind, name in unit.makes:
            if "%" not in name and objects.setdefault((kind, name), unit.path) != unit.path:
                message = f"{objects[kind, name]} makes a {kind} named {name} as well"
                reading.report(message, path=unit.path, hint="give one another name")


def report_dependents(readings: Iterable[Reading]) -> None:
    """Warn an app that needs a unit of an app that is refused."""
    readings = tuple(readings)
    refused = {
        unit.name: reading.files.app.name
        for reading in readings
        if reading.refused
        for unit in reading.units
    }
    for reading in readings:
        for unit in () if reading.refused else reading.units:
            for name in unit.requires:
                if name in refused:
                    message = f"{unit.name} needs {name} of app {refused[name]}, which is refused"
                    reading.report(message, path=unit.path, fatal=False)


def report_links(reading: Reading) -> None:
    """Refuse links that lead out of the app."""
    for path in reading.files.leaving_links():
        message = f"symbolic link leads out of the folder of app {reading.files.app.name}"
        hint = "an app's files stand in its own folder; put the file itself there"
        reading.report(message, path=path, hint=hint)


def _finding(files: AppFiles, path: str, words: str, *, fatal: bool) -> Finding:
    line = 0
    if number := _LINE.search(words):
        line = int(number[1])
    elif entry := _meant(files, path, words):
        path, line = entry.path, entry.line
    elif fatal:
        problem = next(iter(files.unit_file(path).problems), None)
        line = problem.line if problem else 0
    said, hint = redacted(words, files), _encoding_hint(files.content(path) or b"")
    if _GARBAGE in words and not hint:
        hint = "a line is KEY=value, [Section] or # and a comment; yours may be a secret: not shown"
    if (unknown := _UNKNOWN.search(words)) and not hint:
        close = nearest(unknown[1], OPEN_KEYS.union(_OTHER_KEYS.split()))
        hint = f"did you mean {close}=? " if close else ""
        hint += "Podman names no more than the first mistake of a file"
    if named := _OF_A_REPLICA.search(words):
        name = named[1].replace("@", "-")
        hint = f"Volume={name}:/path gives each replica a volume of its own, without a .volume file"
    return files.finding(said, path=path, line=line, hint=hint, fatal=fatal)


def _encoding_hint(content: bytes) -> str:
    """Say it of a file that an editor saved with a mark for its encoding, which nobody sees."""
    if content.startswith(codecs.BOM_UTF8):
        return "it begins with a byte order mark (BOM): save it as UTF-8 without one"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "it is UTF-16: save it as UTF-8"
    return ""


def _meant(files: AppFiles, path: str, words: str) -> Entry | None:
    """Return the assignment that a message is about: the key, value or reference that it names."""
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(words)]
    group = _GROUP.search(words)
    if group and quoted:
        return files.find_entry(path, _assigns({quoted[0]}, section=group[1]))
    for reference in _REFERENCE.findall(words):
        if entry := files.find_entry(path, _says(reference)):
            return entry
    named = set(_CAPITALISED.findall(words))
    for text in quoted:
        found = files.find_entry(path, _says(text, keys=named))
        if found or (found := files.find_entry(path, _says(text))):
            return found
    if entry := files.find_entry(path, _assigns(set(_KEY.findall(words)))):
        return entry
    if words.startswith("source "):
        return files.find_entry(path, _lacks_source)
    # Some only begin with the key, in small letters: `pod x is not Quadlet based`.
    first = _WORD.match(words)
    keys = {first[0].capitalize()} if first else set()
    return files.find_entry(path, _assigns(named | keys))


def _lacks_source(entry: Entry) -> bool:
    return entry.key == "Mount" and bool(_NO_SOURCE.match(entry.value))


def _says(text: str, keys: Collection[str] = ()) -> Callable[[Entry], bool]:
    return lambda entry: text in entry.value and (not keys or entry.key in keys)


def _assigns(keys: Collection[str], *, section: str = "") -> Callable[[Entry], bool]:
    return lambda entry: entry.key in keys and (not section or entry.section == section)


def is_staged(path: str, kind: FileKind) -> bool:
    """Whether the generator looks at a file of this path: Quadlet files, drop-ins, links."""
    quadlet = path.endswith(tuple(QUADLETS)) or is_drop_in(path)
    return kind is FileKind.SYMLINK or quadlet
