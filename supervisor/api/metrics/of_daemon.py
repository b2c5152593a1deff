"""Metrics of podvisor itself: what it has done, and what that took."""

from collections.abc import Iterator

from prometheus_client.core import InfoMetricFamily
from prometheus_client.metrics_core import Metric

from supervisor.api.metrics.families import counter, gauge, summary
from supervisor.controllers.keys import Kind
from supervisor.core.status.event_codes import event_codes
from supervisor.model.counters import Counters, PassCount, ProcessUsage
from supervisor.model.incident import IncidentCode
from supervisor.model.status import Status

_RELEASES = ("good", "failed", "cut")
_REPAIRS = ("unit", "files")
_PULLS = ("pulled", "failed")


def of_daemon(status: Status, counters: Counters) -> Iterator[Metric]:
    """Yield them."""
    yield InfoMetricFamily(
        "podvisor_build", "Which podvisor the daemon is.", {"version": status.version}
    )
    started = gauge("daemon_start_time_seconds", "When the daemon started.")
    started.add_metric([], status.started_at)
    yield started
    yield from _process(counters.process)
    yield from _work(counters)
    yield from _notifiers(counters)
    incidents = gauge("incidents", "Incidents that are open: what is wrong now, by code.", "code")
    codes = [one.code for one in status.incidents]
    for code in IncidentCode:
        incidents.add_metric([code], codes.count(code))
    yield incidents


def _process(usage: ProcessUsage) -> Iterator[Metric]:
    cpu = counter("daemon_cpu_seconds", "CPU time of the daemon itself.", "mode")
    cpu.add_metric(["user"], usage.user_seconds)
    cpu.add_metric(["system"], usage.system_seconds)
    child = counter(
        "daemon_child_cpu_seconds",
        "CPU time of what the daemon started (git, the generator, podman) and that has ended.",
        "mode",
    )
    child.add_metric(["user"], usage.child_user_seconds)
    child.add_metric(["system"], usage.child_system_seconds)
    switches = counter(
        "daemon_context_switches",
        "Context switches of the daemon: voluntary ones are its wake-ups.",
        "kind",
    )
    switches.add_metric(["voluntary"], usage.waits)
    switches.add_metric(["involuntary"], usage.preemptions)
    memory = gauge(
        "daemon_resident_memory_bytes",
        "Memory of the daemon that is resident, pages that it shares included.",
    )
    memory.add_metric([], usage.resident_bytes)
    files = gauge("daemon_open_fds", "Files, sockets and pipes that the daemon has open.")
    files.add_metric([], usage.open_files)
    yield from (cpu, child, switches, memory, files)


def _work(counters: Counters) -> Iterator[Metric]:
    queue = gauge(
        "queue_keys",
        "Keys in the queue: ready, running, held until a burst is over, or due later.",
        "state",
    )
    for state in ("ready", "running", "held", "later"):
        queue.add_metric([state], getattr(counters.queue, state))
    passes = summary(
        "pass_duration_seconds",
        "Passes that have ended, and how long they took with what they waited for, by the kind of"
        " their keys.",
        "kind",
    )
    failures = counter(
        "pass_failures",
        "Keys that failed: retry (tried again by itself) or stall (a person is needed).",
        "kind",
        "failure",
    )
    # Each from the beginning, so that the first one is an increase, too.
    for kind in Kind:
        count = counters.passes.get(kind, PassCount())
        passes.add_metric([kind], count.ended, count.seconds)
        failures.add_metric([kind, "retry"], count.retries)
        failures.add_metric([kind, "stall"], count.stalls)
    yield from (queue, passes, failures)
    events = counter("events", "Entries of the event log, by code.", "code")
    for code in event_codes():
        events.add_metric([code], counters.events.get(code, 0))
    yield events
    releases = counter(
        "releases",
        "Releases of apps whose gate has decided: good, failed (and taken back), or cut short by"
        " something newer.",
        "outcome",
    )
    for outcome in _RELEASES:
        releases.add_metric([outcome], counters.releases.get(outcome, 0))
    repairs = counter(
        "repairs", "Repairs: a unit that was started again, files that were put back.", "what"
    )
    for what in _REPAIRS:
        repairs.add_metric([what], counters.repairs.get(what, 0))
    pulls = counter("image_pulls", "Pulls of images that have ended.", "outcome")
    for outcome in _PULLS:
        pulls.add_metric([outcome], counters.pulls.get(outcome, 0))
    yield from (releases, repairs, pulls)


def _notifiers(counters: Counters) -> Iterator[Metric]:
    messages = counter(
        "notifications",
        "Messages of a notifier that were sent, and tries to send one that failed.",
        "notifier",
        "outcome",
    )
    waiting = gauge("notifications_waiting", "What a notifier has yet to tell.", "notifier")
    ok = gauge("notifier_ok", "1 if a notifier could send the last time.", "notifier")
    for name, count in counters.notifiers.items():
        messages.add_metric([name, "sent"], count.sent)
        messages.add_metric([name, "failed"], count.failed)
        waiting.add_metric([name], count.waiting)
        ok.add_metric([name], not count.failing)
    yield from (messages, waiting, ok)
