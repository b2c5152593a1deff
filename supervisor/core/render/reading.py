"""What is understood of an app while its units are read, whatever they come from."""

from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Reads
from supervisor.core.files.install import INSTALL_KEYS, aliases, install_lines, starts
from supervisor.core.files.unitfile import UnitFile, boolean, expand, specifiers
from supervisor.core.render.x_podvisor import OwnSection
from supervisor.core.render.x_podvisor_deploy import judge_rules
from supervisor.model.app import AppOptions, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.unit_name import (
    DEFAULT_TARGET,
    MOST_REPLICAS,
    instance_of,
    is_template,
    replica_names,
)

_GENERATORS_OWN = "podman-user-wait-network-online.service"


class Reading:
    """One app's units, as far as they are understood, and what was found on the way."""

    def __init__(self, files: AppFiles) -> None:
        self.files = files
        self.units: list[DesiredUnit] = []
        self.findings: list[Finding] = []
        self.options = AppOptions()
        self.after: dict[str, set[str]] = {}
        """Units, and those after which each is to start."""

    def report(self, message: str, **where: Any) -> None:
        """Add a finding; `where` is as of `AppFiles.finding`."""
        self.findings.append(self.files.finding(message, **where))

    @property
    def refused(self) -> bool:
        return any(finding.fatal for finding in self.findings)

    def add(
        self,
        name: str,
        path: str,
        own: OwnSection,
        reads: Reads,
        *,
        installed: UnitFile,
        loaded: UnitFile,
        known: Mapping[str, str],
        **more: Any,
    ) -> None:
        """Add a unit that comes from the file at `path`, what it says of its app, what was found.

        `installed` holds its `[Install]`, `loaded` is what systemd will run, `known` are its
        specifiers; `more` is what only its kind of unit has.
        """
        self.after.setdefault(name, set()).update(_named(loaded, known, "After"))
        for later in _named(loaded, known, "Before"):
            self.after.setdefault(later, set()).add(name)
        can_reload = bool(loaded.values("Service", "ExecReload"))
        self.options = self.options.joined(own.app)
        rules = judge_rules(own.rules, path, self.files, reads=reads.paths, can_reload=can_reload)
        self.findings.extend((*own.findings, *rules, *reads.findings))
        wanted_by = installed.words("Install", *INSTALL_KEYS)
        if own.replicas is not None:
            wanted_by = wanted_by or (DEFAULT_TARGET,)  # they are to run, and so say so
        unit = DesiredUnit(
            name=name,
            path=path,
            wanted_by=wanted_by,
            installs=install_lines(path, self.files),
            aliases=aliases(name, installed),
            starts=starts(name, loaded, known),
            instances=instances(name, installed, own.replicas),
            replicas=own.replicas,
            max_unavailable=own.max_unavailable,
            requires=_requirements(loaded, known),
            oneshot=loaded.last("Service", "Type") == "oneshot",
            remain_after_exit=bool(boolean(loaded.last("Service", "RemainAfterExit"))),
            reads=reads.paths,
            live=reads.live,
            certificate_uses=tuple(
                use
                for use in reads.certificates.uses
                if own.replicas is None or not use.instance or int(use.instance) <= own.replicas
            ),
            probe=own.probe,
            can_reload=can_reload,
            on_change=tuple(rule for _, rule in own.rules),
            before_deploy=own.before_deploy,
            **more,
        )
        self.units.append(unit)


def instances(name: str, unit: UnitFile, replicas: int | None = None) -> tuple[str, ...]:
    """Names of a template's instances: so many replicas, or the one that its `[Install]` makes."""
    if replicas is not None:
        return replica_names(replicas)
    instance = unit.last("Install", "DefaultInstance")
    return (instance,) if instance and is_template(name) else ()


def instance_specifiers(
    name: str, unit: UnitFile, replicas: int | None, home: str
) -> dict[str, dict[str, str]] | None:
    """Return the specifiers of a template's instances; None if it is none.

    Of replicas, those of as many as a person may order.
    """
    if not is_template(name):
        return None
    names = instances(name, unit, None if replicas is None else MOST_REPLICAS)
    return {one: specifiers(instance_of(name, one), home=home) for one in names}


def _requirements(unit: UnitFile, known: Mapping[str, str]) -> tuple[str, ...]:
    """Units that a unit needs, targets and the generator's own helper aside."""
    names = _named(unit, known, "Requires", "BindsTo", "Wants", "Requisite")
    return tuple(name for name in names if name != _GENERATORS_OWN and not name.endswith(".target"))


def _named(unit: UnitFile, known: Mapping[str, str], *keys: str) -> Iterator[str]:
    """Yield the units that these keys of its `[Unit]` name."""
    return (expand(word, known) for word in unit.words("Unit", *keys))
