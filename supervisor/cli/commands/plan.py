"""`podvisor plan`: what the daemon would do now, and why; nothing is done."""

from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.fast.answer import answer
from supervisor.cli.local.offers import offer
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.kit.texts import count, short_id

if TYPE_CHECKING:
    from supervisor.model.plan import Plan, Step, Verdict


@click.command(
    short_help="Show what would be done now, and why.",
    epilog=codes.epilog(
        codes.CHANGES,
        c0="nothing to do (without --exit-code: a plan was made)",
        examples=("podvisor plan web",),
    ),
)
@click.argument("apps", nargs=-1, metavar="[APP]...", shell_complete=offer("app"))
@click.option("--prune-all", is_flag=True, help="As if `sync --prune-all` were meant.")
@click.option(
    "--exit-code",
    is_flag=True,
    help="Return 2 if there is something to do, 1 if something is refused.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/plan.py: Plan).")
@click.pass_obj
def command(
    config: str, apps: tuple[str, ...], prune_all: bool, exit_code: bool, as_json: bool
) -> int:
    """Read the sources and show what would be done for these apps (all, if none is named).

    The daemon executes the same plan. Without a daemon the plan is made here.
    """
    from supervisor.model.plan import Plan

    plan = answer("plan", config, Plan, apps=apps, prune_all=prune_all)
    if as_json:
        screen.write_json(plan)
    else:
        _show(plan)
    findings = [*plan.problems, *(one for verdict in plan.verdicts for one in verdict.findings)]
    if not exit_code:
        return codes.OK
    if any(found.fatal for found in findings):
        return codes.ERROR
    return codes.CHANGES if plan.steps else codes.OK


def _show(plan: "Plan") -> None:
    lines: dict[str, list[list[Cell]]] = {}
    total = 0
    for step in plan.steps:
        if row := _row(step):
            lines.setdefault(step.app, []).append(row)
            total += 1
    for verdict in plan.verdicts:
        rows = lines.pop(verdict.app, [])
        if rows or verdict.findings or verdict.waiting or verdict.held or verdict.held_back:
            _show_app(verdict, rows)
    for rows in lines.values():
        screen.table(rows, indent="  ")
        say()
    for found in plan.problems:
        screen.finding(found)
    apps = {step.app for step in plan.steps if step.app}
    if total:
        say(f"{count(total, 'step')} for {count(len(apps), 'app')}.")
    elif plan.verdicts and not plan.problems and all(map(_is_well, plan.verdicts)):
        say("Nothing to do: everything is as the sources say.")
    else:
        say("Nothing to do now.")


def _row(step: "Step") -> list[Cell]:
    """Return the step as a line of the table; nothing of those that only write down."""
    from supervisor.cli.show.steps import described

    words = described(step)
    return [(words[0], words[2]), words[1], (step.reason, "dim")] if words else []


def _is_well(verdict: "Verdict") -> bool:
    return verdict.complete and not verdict.waiting and not verdict.held


def _show_app(verdict: "Verdict", rows: list[list[Cell]]) -> None:
    from supervisor.core.status.in_words import hold_in_words

    say((verdict.app, "strong"), (f"  {short_id(verdict.revision)}", "dim"))
    for found in verdict.findings:
        screen.finding(found)
    orders = []
    if held := verdict.held:
        orders.append(
            hold_in_words(
                verdict.app,
                held.revision,
                instead_of=held.instead_of,
                images=held.images,
                by=held.by,
            )
        )
    if verdict.held_back:
        due = count(len(verdict.held_back), "step")
        orders.append(f"suspended (podvisor resume {verdict.app} ends that): {due} held back")
    for text in (*orders, *(str(need) for need in verdict.waiting)):
        say("  ", ("… ", "warn"), text)
    for text in verdict.held_back:
        say("    ", (text, "dim"))
    screen.table(rows, indent="  ")
    if afterwards := list(filter(None, map(_row, verdict.afterwards))):
        say("  ", ("then", "dim"))
        screen.table(afterwards, indent="  ")
    say()
