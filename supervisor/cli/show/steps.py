"""Steps of a plan in a person's words: what is done, and to what."""

from typing import assert_never

from supervisor.kit.texts import format_duration
from supervisor.model.plan import (
    BuildImage,
    CutTrial,
    DisableUnit,
    EnableUnit,
    LeaveUnit,
    OpenManifest,
    PullImage,
    PutSecrets,
    Quarantine,
    Reload,
    ReloadUnit,
    RemoveContainer,
    RemoveFile,
    RemoveNetwork,
    RemovePod,
    RemoveSecret,
    RemoveVolume,
    ResetFailed,
    RestartUnit,
    RunJob,
    SealManifest,
    SetHealthInterval,
    StartUnit,
    Step,
    StopUnit,
    TryRevision,
    WriteFile,
)


def described(step: Step) -> tuple[str, str, str] | None:
    """Return a step's verb, object and style; None for the book-keeping between the others."""
    match step:
        case PullImage(image=image):
            return "pull", image, "good"
        case Quarantine(failed=failed):
            return "quarantine", failed.revision[:12], "bad"
        case PutSecrets(secrets=secrets):
            return "put", f"secret {secrets}", "warn"
        case BuildImage(unit=unit):
            return "build", unit, "good"
        case StopUnit(unit=unit):
            return "stop", unit, "bad"
        case DisableUnit(unit=unit):
            return "disable", unit, "bad"
        case RemoveContainer(container=container):
            return "remove", f"container {container}", "bad"
        case RemoveNetwork(network=network):
            return "remove", f"network {network}", "bad"
        case RemovePod(pod=pod):
            return "remove", f"pod {pod}", "bad"
        case RemoveSecret(secret=secret):
            return "remove", f"secret {secret}", "bad"
        case RemoveVolume(volume=volume):
            return "remove", f"volume {volume} with its data", "bad"
        case WriteFile(file=file):
            return "write", file.path, "warn"
        case RemoveFile(path=path):
            return "remove", path, "bad"
        case EnableUnit(unit=unit, install=install):
            return "enable" if install else "link", unit, "good"
        case Reload():
            return "reload", "systemd's units", ""
        case StartUnit(unit=unit):
            return "start", unit, "good"
        case RestartUnit(unit=unit):
            return "restart", unit, "warn"
        case ReloadUnit(unit=unit):
            return "reload", unit, "warn"
        case LeaveUnit(unit=unit):
            return "leave", unit, "dim"
        case RunJob(unit=unit):
            return "run", unit, "good"
        case ResetFailed(unit=unit):
            return "forget", f"the failure of {unit}", "dim"
        case SetHealthInterval(unit=unit, seconds=seconds):
            return "check", f"{unit} every {format_duration(seconds)}", "dim"
        case OpenManifest() | SealManifest() | TryRevision() | CutTrial():
            return None
        case _:
            assert_never(step)
