"""Steps of a plan in a person's words: what is done, and to what."""

from supervisor.core.plan.step_text import BOOKKEEPING, subject_of
from supervisor.model import plan
from supervisor.model.plan import Step

WORDS: dict[type[Step], tuple[str, str, str]] = {
    plan.PullImage: ("pull", "{subject}", "good"),
    plan.Quarantine: ("quarantine", "{subject}", "bad"),
    plan.PutSecrets: ("put", "secret {subject}", "warn"),
    plan.OrderCertificate: ("order", "certificate {subject}", "good"),
    plan.InstallCertificate: ("install", "certificate {subject}", "warn"),
    plan.BuildImage: ("build", "{unit}", "good"),
    plan.StopUnit: ("stop", "{unit}", "bad"),
    plan.DisableUnit: ("disable", "{unit}", "bad"),
    plan.RemoveContainer: ("remove", "container {subject}", "bad"),
    plan.RemoveNetwork: ("remove", "network {subject}", "bad"),
    plan.RemovePod: ("remove", "pod {subject}", "bad"),
    plan.RemoveSecret: ("remove", "secret {subject}", "bad"),
    plan.RemoveVolume: ("remove", "volume {subject} with its data", "bad"),
    plan.ForgetSnapshots: ("remove", "volume snapshots", "bad"),
    plan.SnapshotVolumes: ("export", "volumes {subject}", "good"),
    plan.RestoreVolumes: ("put back", "volumes {subject}", "warn"),
    plan.WriteFile: ("write", "{subject}", "warn"),
    plan.RemoveFile: ("remove", "{subject}", "bad"),
    plan.EnableUnit: ("enable", "{unit}", "good"),
    plan.Reload: ("reload", "systemd's units", ""),
    plan.StartUnit: ("start", "{unit}", "good"),
    plan.RestartUnit: ("restart", "{unit}", "warn"),
    plan.ReloadUnit: ("reload", "{unit}", "warn"),
    plan.LeaveUnit: ("leave", "{unit}", "dim"),
    plan.RunJob: ("run", "{unit}", "good"),
    plan.ResetFailed: ("forget", "the failure of {unit}", "dim"),
    plan.SetHealthInterval: ("check", "{unit} {subject}", "dim"),
}
"""Verb, object and style."""


def described(step: Step) -> tuple[str, str, str] | None:
    """Return a step's verb, object and style; None for the book-keeping between the others."""
    if isinstance(step, BOOKKEEPING):
        return None
    verb, thing, style = WORDS[type(step)]
    if isinstance(step, plan.EnableUnit) and not step.install:
        verb = "link"
    return verb, thing.format(unit=getattr(step, "unit", ""), subject=subject_of(step)), style
