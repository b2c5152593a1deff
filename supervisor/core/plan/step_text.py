"""What a step is about, in words: for the event log, and for plans that are held back."""

from supervisor.kit.texts import format_duration, short_id
from supervisor.model.need import Need, NeedKind
from supervisor.model.plan import (
    CutTrial,
    OpenManifest,
    Quarantine,
    SealManifest,
    SetHealthInterval,
    Step,
    TryRevision,
    WriteFile,
)

BOOKKEEPING = (OpenManifest, SealManifest, TryRevision, CutTrial)
"""Steps that only write down what the others do."""


def subject_of(step: Step) -> str:
    """What a step is about, where that is not a unit: a file, image, network …; else empty."""
    if isinstance(step, WriteFile):
        return step.file.path
    if isinstance(step, TryRevision | CutTrial):
        return short_id(step.trial.revision)
    if isinstance(step, Quarantine):
        return short_id(step.failed.revision)
    if isinstance(step, SetHealthInterval):
        return f"every {format_duration(step.seconds)}"
    names = (
        "path",
        "image",
        "container",
        "network",
        "pod",
        "volume",
        "secret",
        "secrets",
        "certificate",
        "volumes",
    )
    return next((str(getattr(step, name)) for name in names if hasattr(step, name)), "")


def in_words(step: Step) -> str:
    """Return a step in a line: what, to what, and why."""
    return str(as_need(step))


def as_need(step: Step) -> Need:
    """Return a step as what its app waits for while it is done."""
    thing = getattr(step, "unit", "") or subject_of(step)
    tag = str(step.__struct_config__.tag)
    text = " ".join(filter(None, (tag, thing)))
    return Need(kind=NeedKind.STEP, subject=thing, text=text, detail=step.reason)
