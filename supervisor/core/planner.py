"""One pass as a value: the steps for a set of apps, in the order in which they are executed.

Before it: `controllers.observe` and `controllers.desire` have read the world. After it:
`controllers.execute` carries the steps out, and has no choices left to make.
"""

from collections.abc import Mapping, Sequence

from supervisor.core.app_plan import plan_app
from supervisor.kit.texts import count
from supervisor.model.app import Deployment
from supervisor.model.observed import Observed
from supervisor.model.plan import Plan, Reload, Step
from supervisor.model.settings import HealthSettings


def plan(
    deployments: Sequence[Deployment],
    observed: Observed,
    now: float,
    *,
    foreign: Mapping[str, str] | None = None,
    health: HealthSettings | None = None,
    offered: Mapping[str, str] | None = None,
) -> Plan:
    """Plan one pass over these apps; a pure function of its arguments.

    `offered` maps the secrets that some app describes, of this pass or not, to that app.

    Steps are ordered by phase: images, stops, removals, files, one daemon-reload, starts.
    """
    health = health or HealthSettings()
    steps: list[Step] = []
    verdicts = []
    desired = {
        one.name: {unit.name for unit in one.wanted.units} for one in deployments if one.wanted
    }
    for deployment in deployments:
        claimed = {
            unit for name, units in desired.items() if name != deployment.name for unit in units
        }
        more, verdict = plan_app(
            deployment,
            observed,
            now,
            foreign=foreign or {},
            claimed=claimed,
            health=health,
            offered=offered or {},
        )
        steps.extend(more)
        verdicts.append(verdict)
    return Plan(steps=_ordered(steps), verdicts=tuple(verdicts))


def _ordered(steps: list[Step]) -> tuple[Step, ...]:
    """By phase, else as planned; all reloads as one."""
    reasons = dict.fromkeys(step.reason for step in steps if isinstance(step, Reload))
    merged: list[Step] = [step for step in steps if not isinstance(step, Reload)]
    if reasons:
        first, *rest = reasons
        more = f" (and {count(len(rest), 'more reason')})" if rest else ""
        merged.append(Reload(reason=first + more))
    return tuple(sorted(merged, key=lambda step: step.phase))
