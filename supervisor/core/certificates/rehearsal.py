"""What a rehearsal came to, once all of it is known."""

from collections.abc import Iterable

from msgspec.structs import replace

from supervisor.model.errors import Finding
from supervisor.model.rehearsal import Check, CheckState

_SEEN_FROM_HERE = ("dns", "answer")
"""What an issuer knows better, which looks from elsewhere."""


def settled(checks: Iterable[Check], *, is_issued: bool) -> tuple[Check, ...]:
    """Return the checks; where an issuer came through, what looks wrong from here is not."""
    return tuple(
        replace(
            one,
            state=CheckState.UNSURE,
            message=f"{one.message}; the issuer came through all the same",
            hint="",
        )
        if is_issued and one.what in _SEEN_FROM_HERE and one.state is CheckState.WRONG
        else one
        for one in checks
    )


def of_findings(findings: Iterable[Finding], path: str) -> list[Check]:
    """Return what was found in a `.certificate` file, by its path in the app's folder."""
    return [
        Check(
            what="file",
            about=f"{one.path}:{one.line}" if one.line else one.path,
            state=CheckState.WRONG if one.fatal else CheckState.UNSURE,
            message=one.message,
            hint=one.hint,
        )
        for one in findings
        if one.path == path or one.path.endswith(f"/{path}")
    ]


def of_app(app: str, findings: Iterable[Finding]) -> list[Check]:
    """Return what keeps an app out: its certificates stay as they were as long."""
    return [
        Check(
            what="app",
            about=app,
            state=CheckState.WRONG,
            message=f"it is refused, and stays as it was: {one.message}",
            hint=one.hint,
        )
        for one in findings
        if one.fatal
    ]
