"""Comments behind a value: Quadlet and systemd, for which one is a whole line, take them along."""

import re
from collections.abc import Iterator

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.unitfile import Entry
from supervisor.model.errors import Finding

_OWN_SECTION = "X-Podvisor"
_TEXTS = frozenset(
    {
        *("Exec", "Entrypoint", "HealthCmd", "HealthStartupCmd", "ReloadCmd"),
        *("PodmanArgs", "GlobalArgs", "BuildArg", "LogOpt"),
        *("Description", "SetCredential", "StandardInputText", "LogExtraFields"),
        *("LogFilterPatterns", "ConditionKernelCommandLine", "AssertKernelCommandLine"),
    }
)
"""Keys whose values may hold a # between blanks; all that begin with Exec, too."""
_NO_BLANKS = frozenset(
    {
        *("Image", "AutoUpdate", "Pull", "ImageTag", "Arch", "Pod", "Network", "NetworkAlias"),
        *("ContainerName", "PodName", "NetworkName", "VolumeName", "ServiceName", "HostName"),
        *("PublishPort", "ExposeHostPort", "IP", "IP6", "DNS", "Subnet", "Gateway", "Internal"),
        *("User", "Group", "UserNS", "Timezone", "Memory", "PidsLimit", "ShmSize", "Notify"),
        *("ReadOnly", "RunInit", "NoNewPrivileges", "AddCapability", "DropCapability"),
        *("HealthInterval", "HealthTimeout", "HealthRetries", "HealthStartPeriod"),
        *("HealthOnFailure", "StopSignal", "StopTimeout", "Type", "Restart", "RestartSec"),
        *("TimeoutStartSec", "TimeoutStopSec", "RemainAfterExit", "OnCalendar", "OnBootSec"),
        *("OnUnitActiveSec", "RandomizedDelaySec", "Persistent", "After", "Before", "Requires"),
        *("Wants", "BindsTo", "PartOf", "WantedBy", "RequiredBy"),
    }
)
"""Keys of which no word can begin with a #."""
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_ALONE = re.compile(r"(?:^|\s)#(?=\s|$)")
_BEGINNING = re.compile(r"(?:^|\s)#")


def trailing_comments(path: str, files: AppFiles) -> Iterator[Finding]:
    """Yield a finding for each value of a unit file that surely was to end before a comment."""
    for entry in files.unit_file(path).entries:
        if "#" in entry.value and _has_comment(entry):
            message = f"what follows the # is part of {entry.key}=, and no comment"
            hint = "a comment needs a line of its own"
            yield files.finding(message, at=entry, hint=hint, fatal=False)


def _has_comment(entry: Entry) -> bool:
    if entry.section.startswith("X-") and entry.section != _OWN_SECTION:
        return False
    if entry.key in _TEXTS or entry.key.startswith("Exec"):
        return False
    pattern = _BEGINNING if entry.key in _NO_BLANKS else _ALONE
    return bool(pattern.search(_QUOTED.sub("q", entry.value)))
