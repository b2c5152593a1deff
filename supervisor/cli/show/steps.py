"""Steps of a plan in a person's words: what is done, and to what."""

from typing import assert_never

from supervisor.kit.texts import format_duration
from supervisor.model import plan
from supervisor.model.plan import Step


def described(step: Step) -> tuple[str, str, str] | None:
    """Return a step's verb, object and style; None for the book-keeping between the others."""
    match step:
        case plan.PullImage(image=image):
            return "pull", image, "good"
        case plan.Quarantine(failed=failed):
            return "quarantine", failed.revision[:12], "bad"
        case plan.PutSecrets(secrets=secrets):
            return "put", f"secret {secrets}", "warn"
        case plan.BuildImage(unit=unit):
            return "build", unit, "good"
        case plan.StopUnit(unit=unit):
            return "stop", unit, "bad"
        case plan.DisableUnit(unit=unit):
            return "disable", unit, "bad"
        case plan.RemoveContainer(container=container):
            return "remove", f"container {container}", "bad"
        case plan.RemoveNetwork(network=network):
            return "remove", f"network {network}", "bad"
        case plan.RemovePod(pod=pod):
            return "remove", f"pod {pod}", "bad"
        case plan.RemoveSecret(secret=secret):
            return "remove", f"secret {secret}", "bad"
        case plan.RemoveVolume(volume=volume):
            return "remove", f"volume {volume} with its data", "bad"
        case plan.WriteFile(file=file):
            return "write", file.path, "warn"
        case plan.RemoveFile(path=path):
            return "remove", path, "bad"
        case plan.EnableUnit(unit=unit, install=install):
            return "enable" if install else "link", unit, "good"
        case plan.Reload():
            return "reload", "systemd's units", ""
        case plan.StartUnit(unit=unit):
            return "start", unit, "good"
        case plan.RestartUnit(unit=unit):
            return "restart", unit, "warn"
        case plan.ReloadUnit(unit=unit):
            return "reload", unit, "warn"
        case plan.LeaveUnit(unit=unit):
            return "leave", unit, "dim"
        case plan.RunJob(unit=unit):
            return "run", unit, "good"
        case plan.ResetFailed(unit=unit):
            return "forget", f"the failure of {unit}", "dim"
        case plan.SetHealthInterval(unit=unit, seconds=seconds):
            return "check", f"{unit} every {format_duration(seconds)}", "dim"
        case plan.OpenManifest() | plan.SealManifest() | plan.TryRevision() | plan.CutTrial():
            return None
        case _:
            assert_never(step)
