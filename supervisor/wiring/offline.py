"""What commands ask where no daemon is to answer, worked out in a scratch folder."""

import tempfile
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from supervisor.adapters.files.folder import OwnedFolder
from supervisor.adapters.git.reader import GitSources
from supervisor.adapters.git.working_copy import BRANCH, WorkingCopy
from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.quadlet.generator import QuadletGenerator
from supervisor.adapters.quadlet.runner import Runner
from supervisor.adapters.secrets.references import SecretReader
from supervisor.controllers.desired import checker
from supervisor.controllers.operator.reload import missing_secrets
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.config.checking import settings_for_check, sources_of
from supervisor.core.config.reader import Reading, secret_refs
from supervisor.core.images.trust import asked_signatures
from supervisor.kit.clock import SystemClock
from supervisor.kit.threads import aside
from supervisor.model.app import Deployment
from supervisor.model.check import Check
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.errors import Failure, Finding, Stalled
from supervisor.model.image_status import SignatureList
from supervisor.model.plan import Plan
from supervisor.model.secret import SecretList
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import Settings
from supervisor.wiring.environment import Paths, load_settings, user_data, user_settings
from supervisor.wiring.planning import Planning, desired_state
from supervisor.wiring.ports import Ports, make_ports


async def _plan(config: Path, *, apps: Collection[str], prune_all: bool) -> Plan:
    """Work out, without a daemon, what one would do now. Raises Stalled on refused settings."""
    with _scratch_ports(config) as (settings, ports):
        return await Planning(ports).preview(settings, {}).plan(apps, prune_all=prune_all)


async def _diff(config: Path, *, apps: Collection[str], units: bool) -> Diff:
    """Show, without a daemon, what would change. Raises Stalled on refused settings."""
    with _scratch_ports(config) as (settings, ports):
        request = DiffRequest(apps=tuple(apps), units=units)
        return await Planning(ports).preview(settings, {}).diff(request)


async def _secret_list(config: Path) -> SecretList:
    """Work out, without a daemon, how all secrets stand. Raises Stalled on refused settings."""
    with _scratch_ports(config) as (settings, ports):
        planning = Planning(ports)
        everything = await _stored(planning, settings, ports)
        return SecretList(secrets=await planning.secrets.look(everything))


async def _signature_list(config: Path) -> SignatureList:
    """Work out, without a daemon, which signatures apps ask for. Raises Stalled as the others."""
    with _scratch_ports(config) as (settings, ports):
        everything = await _stored(Planning(ports), settings, ports)
        rules = await ports.podman.registry_rules()
        return SignatureList(images=tuple(asked_signatures(everything, rules)))


async def _stored(planning: Planning, settings: Settings, ports: Ports) -> tuple[Deployment, ...]:
    """Return what the sources ask for, as they were read last."""
    desired = planning.desired_state(CurrentSettings(settings), standing={})
    for name in settings.sources:
        with suppress(Failure):  # what it holds is not known: nothing is said of it
            if stored := await ports.reader.stored(name):
                desired.put(stored)
    return tuple((await desired.deployments()).values())


ANSWERS: dict[str, Callable[..., Awaitable[Any]]] = {
    "plan": _plan,
    "diff": _diff,
    "secrets": _secret_list,
    "signatures": _signature_list,
}
"""What the daemon answers, and is worked out here: by the settings file, and the request."""


@contextmanager
def _scratch_ports(config: Path) -> Iterator[tuple[Settings, Ports]]:
    """Make ports of its own, over which everything can be looked at: the daemon's stay as is."""
    paths = Paths.from_environment(config)
    reading = load_settings(paths.config)
    if reading.settings is None:
        raise Stalled("; ".join(str(finding) for finding in reading.findings))
    with tempfile.TemporaryDirectory(prefix="podvisor-") as scratch:
        ports = make_ports(reading.settings, paths, scratch=Path(scratch))
        try:
            yield reading.settings, ports
        finally:
            ports.close()


async def webhook_secret(reference: SecretRef, paths: Paths) -> bytes:
    """Return what webhooks are signed with. Raises Retry or Stalled."""
    return await _secrets(paths).read(reference)


def _secrets(paths: Paths) -> SecretReader:
    return SecretReader(PodmanClient(paths.podman_socket).secret)


async def check(
    path: Path,
    *,
    config: Path,
    apps: Sequence[str] = (),
    ignore: Sequence[str] = (),
    overlay: str = "",
) -> Check:
    """Judge a folder, or a Git working copy as a clone of it would be; nothing is kept.

    What is not ports is as the settings say, if they have a source that this is, or is a copy of.
    """
    folder = str(path.resolve())  # noqa: ASYNC240  # nothing else runs
    reading = load_settings(config)
    known = reading.settings or Settings()
    copy = await WorkingCopy.at(folder)
    origins = await copy.origins() if copy and copy.is_whole() else ()
    folders = {
        name: str(Path(one.folder).expanduser().resolve())  # noqa: ASYNC240
        for name, one in known.sources.items()
        if one.folder
    }
    sources = sources_of(folder, origins, known.sources, folders)
    with tempfile.TemporaryDirectory(prefix="podvisor-check-") as scratch:
        place = {"folder": folder}
        if copy and not any(one.folder for one in sources.values()):
            await copy.commit_to(Path(scratch, "copy.git"))
            place = {"git": f"file://{scratch}/copy.git", "ref": BRANCH}
        settings = Settings(
            limits=known.limits,
            certificates=known.certificates,
            sources={
                name: settings_for_check(one, **place, apps=apps, ignore=ignore, overlay=overlay)
                for name, one in sources.items()
            },
        )
        has_others = not known.sources.keys() <= sources.keys()
        found = await _judge(settings, Path(scratch), has_others=has_others)
    matched = tuple(name for name in sources if name in known.sources)
    findings = (*await _of_settings(reading, config, matched), *found.findings)
    return msgspec.structs.replace(found, sources=matched, findings=findings)


async def _judge(settings: Settings, scratch: Path, *, has_others: bool) -> Check:
    """Judge the sources of these settings, which are made of a folder."""
    reader = GitSources(folder=scratch / "sources", limits=settings.limits)
    ledger = SqliteLedger(scratch / "ledger.db", settings=settings.ledger, clock=SystemClock())
    generator = QuadletGenerator(
        Runner(stage=scratch / "stage", quadlets=user_settings() / "containers" / "systemd"),
        certificates=user_data() / "podvisor" / "certificates",
    )
    try:
        return await checker.check(
            reader=reader,
            desired_state=desired_state(
                reader=reader,
                generator=generator,
                folder=OwnedFolder(root=scratch / "podvisor", user_units=scratch / "units"),
                ledger=ledger,
                settings=CurrentSettings(settings),
                aside=aside,
                clock=SystemClock(),
                standing={},
            ),
            has_others=has_others,
        )
    finally:
        ledger.close()


async def _of_settings(
    reading: Reading, config: Path, sources: Collection[str]
) -> tuple[Finding, ...]:
    """Say what is wrong with the settings themselves, as far as it concerns these sources."""
    if reading.settings is None:
        if not config.exists():  # noqa: ASYNC240
            return ()
        message = "these settings are refused, and count for nothing here"
        return (
            Finding(message=message, path=str(config), fatal=False),
            *(msgspec.structs.replace(one, fatal=False) for one in reading.findings),
        )
    # Only the daemon's service has its credentials.
    references = {
        key: one
        for key, one in secret_refs(reading.settings).items()
        if key[0] == "sources" and key[1] in sources and one.kind != "credential"
    }
    if not references:
        return ()
    return await missing_secrets(reading, references, _secrets(Paths.from_environment(config)))
