"""What the daemon has done, and what it takes, in numbers: for metrics.

Part of `controllers.operator.service`.
"""

from collections.abc import Mapping

import msgspec

from supervisor.controllers.state.tally import Tally
from supervisor.kit import own_usage
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.counters import Counters, ProcessUsage, QueueLength


def counters(tally: Tally, queue: WorkQueue, failures: Mapping[str, int]) -> Counters:
    """Return all counts as they are now; `failures` are by key, how often in a row."""
    ready, running, held, later = queue.lengths()
    return Counters(
        passes={kind: msgspec.structs.replace(one) for kind, one in tally.passes.items()},
        failing={key: times for key, times in failures.items() if times},
        queue=QueueLength(ready=ready, running=running, held=held, later=later),
        events=dict(tally.events),
        releases=dict(tally.releases),
        repairs=dict(tally.repairs),
        pulls=dict(tally.pulls),
        process=own_process(),
    )


def own_process() -> ProcessUsage:
    """Return what this process has taken, and takes."""
    user, system, waits, preemptions = own_usage.rusage()
    child_user, child_system, *_ = own_usage.rusage(children=True)
    return ProcessUsage(
        user_seconds=user,
        system_seconds=system,
        child_user_seconds=child_user,
        child_system_seconds=child_system,
        waits=waits,
        preemptions=preemptions,
        resident_bytes=own_usage.resident_bytes(),
        open_files=own_usage.open_files(),
    )
