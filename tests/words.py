"""What people read, for tests that compare it."""

from supervisor.model.plan import Verdict
from supervisor.model.status import AppStatus


def waiting(app: Verdict | AppStatus) -> tuple[str, ...]:
    """What an app waits for, as it is shown."""
    return tuple(map(str, app.waiting))
