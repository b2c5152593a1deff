"""The versions of the apps' images: chosen by what is known of them, and laid over the candidates.

Serves `controllers.desired.desired_state`; `controllers.images` finds out what there is.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from supervisor.controllers.desired.app_renderer import AppRenderer
from supervisor.controllers.desired.revisions import RevisionHistory
from supervisor.controllers.isolate import each_now
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.core.desired.pinned import with_pins
from supervisor.core.desired.scales import idle_files
from supervisor.core.images.choose import Choice, Choosing, Standing
from supervisor.kit.clock import Clock
from supervisor.model.app import Candidate, Deployment, DesiredApp, DesiredUnit
from supervisor.model.errors import Failure
from supervisor.model.image import ImageAhead, ImageKnowledge, ImageOrder, ImageRule
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Manifest
from supervisor.model.rollout import Hold, Scale
from supervisor.model.settings import ImageSettings
from supervisor.model.status import AppState, AppStatus

Ahead = Callable[[Mapping[ImageAhead, Collection[str]]], None]
"""Has these images pulled, and no others, for the apps of each; none waits for them."""

_WELL = frozenset({AppState.READY, AppState.INACTIVE})


class ImagePins(msgspec.Struct, kw_only=True):
    """Chooses for each app, and remembers what came of it."""

    renderer: AppRenderer
    history: RevisionHistory
    ledger: Ledger
    suspensions: Suspensions
    clock: Clock
    standing: Mapping[str, AppStatus] = {}
    """How apps were when their last pass ended."""
    pull_ahead: Ahead = lambda _: None
    unpinned: tuple[Candidate, ...] = ()
    """The candidates as their sources hold them."""
    rules: Mapping[str, tuple[ImageRule, ...]] = {}
    """What the units of each app ask of their images; nothing of apps that ask nothing."""
    units: Mapping[str, tuple[DesiredUnit, ...]] = {}
    """Of these apps."""
    _choosing: Choosing | None = None
    """As the choices were made last."""
    _choices: dict[str, Choice] = {}

    async def lay_over(
        self,
        candidates: Sequence[Candidate],
        manifests: Mapping[str, Manifest],
        settings: ImageSettings,
    ) -> tuple[list[Candidate], dict[str, Failure]]:
        """Return the candidates with the versions that were chosen; also, what failed for some."""
        self.unpinned = tuple(candidates)
        judged = await self.renderer.judge(candidates, at_any=True)
        units = dict(self.units)
        units |= {name: one.app.units for name, one in judged.items() if one.app}
        rules = {
            one.name: tuple(unit.image_rule for unit in units.get(one.name, ()) if unit.image_rule)
            for one in candidates
        }
        self.rules = {name: some for name, some in rules.items() if some}
        self.units = {name: units[name] for name in self.rules}
        failures = {name: one.failure for name, one in judged.items() if one.failure}
        self._choices = {}
        if self.rules:
            concerned = [one for one in candidates if one.name in self.rules]
            self._choosing = choosing = Choosing(
                knowledge=self.ledger.all(ImageKnowledge),
                settings=settings,
                now=self.clock.now(),
            )
            orders = self._orders()
            self._choices, unchosen = each_now(
                concerned,
                lambda one: choosing.choose(
                    self.rules[one.name],
                    self._standing(one, manifests.get(one.name), orders.get(one.name, {})),
                ),
                doing="choosing images for",
            )
            failures |= unchosen
        self.pull_ahead(self._ahead({name: one.app for name, one in judged.items() if one.app}))
        pinned = [
            with_pins(one, self._choices[one.name].pins) if one.name in self._choices else one
            for one in candidates
        ]
        return pinned, failures

    def _ahead(self, apps: Mapping[str, DesiredApp]) -> dict[ImageAhead, set[str]]:
        """Return the images to pull before any app waits for them, with the apps of each.

        What is to be run now has a head start, while it is judged and planned, where nothing else
        will keep it out: the app was well, and comes after no other.
        """
        ahead: dict[ImageAhead, set[str]] = {}
        for name, choice in self._choices.items():
            app, status = apps.get(name), self.standing.get(name)
            is_free = app and not app.options.after and status and status.state in _WELL
            for one in (*choice.ahead, *(choice.soon if is_free else ())):
                ahead.setdefault(one, set()).add(name)
        return ahead

    def _orders(self) -> dict[str, dict[str, ImageOrder]]:
        """What people ordered of images: by the app, then by the question's key."""
        found: dict[str, dict[str, ImageOrder]] = {}
        for order in self.ledger.all(ImageOrder).values():
            found.setdefault(order.app, {})[order.question] = order
        return found

    def _standing(
        self, one: Candidate, manifest: Manifest | None, orders: Mapping[str, ImageOrder]
    ) -> Standing:
        hold = self.ledger.get(Hold, one.name)
        good = self.history.way_back(manifest) if manifest and manifest.revision else None
        suspension = self.suspensions.of(one.name)
        still = f"the app is held at {hold.held_at}" if hold else ""
        return Standing(
            app=one.name,
            base=one.base,
            good=good,
            rollouts=self.ledger.rollouts(one.name),
            orders=orders,
            still="the app is suspended" if suspension else still,
            until=suspension.until if suspension else 0.0,
            idle=self._idle(one.name),
        )

    def _idle(self, app: str) -> frozenset[str]:
        """Return the paths of an app's files whose image nothing runs; few have replicas."""
        units = self.units[app]
        if not any(unit.has_replicas for unit in units):
            return frozenset()
        return idle_files(units, (one for one in self.ledger.all(Scale).values() if one.app == app))

    def foresee(
        self,
        app: str,
        manifest: Manifest | None,
        knowledge: Mapping[str, ImageKnowledge],
        orders: Mapping[str, ImageOrder],
    ) -> Choice | None:
        """Return what would be chosen for an app if this were known, and ordered, as well.

        Both are by the questions' keys. None for an app that asks nothing.
        """
        mine = next((one for one in self.unpinned if one.name == app), None)
        if mine is None or self._choosing is None or app not in self.rules:
            return None
        known = {**self._choosing.knowledge, **knowledge}
        choosing = replace(self._choosing, knowledge=known, now=self.clock.now())
        orders = {**self._orders().get(app, {}), **orders}
        return choosing.choose(self.rules[app], self._standing(mine, manifest, orders))

    def unknown(self, apps: Collection[str]) -> set[str]:
        """Return the keys of questions that these apps (all, if empty) cannot do without."""
        return {
            rule.question.key
            for name, choice in self._choices.items()
            if not apps or name in apps
            for rule in choice.unknown
        }

    def is_due(self) -> bool:
        """Whether time alone makes another choice of it now."""
        return 0.0 < self.look_at() <= self.clock.now()

    def look_at(self) -> float:
        """When that will be, seconds since the epoch; 0 is never."""
        return min((at for one in self._choices.values() if (at := one.look_at)), default=0.0)

    def told(self, deployments: Iterable[Deployment]) -> list[Deployment]:
        """Return the deployments with what was chosen, and what is waited for."""
        orders = self._orders()
        return [
            replace(
                one,
                orders=tuple(orders.get(one.name, {}).values()),
                updates=tuple(choice.updates),
                ahead=tuple(choice.ahead),
                unknown=() if one.held else tuple(map(self._need, choice.unknown)),
            )
            if (choice := self._choices.get(one.name))
            else one
            for one in deployments
        ]

    def _need(self, rule: ImageRule) -> Need:
        known = self.ledger.get(ImageKnowledge, rule.question.key)
        image = rule.question.image
        problem, hint = (known.problem, known.hint) if known else ("", "")
        said = f"{problem} ({hint})" if problem and hint else problem
        return Need(
            kind=NeedKind.IMAGE,
            subject=image,
            text=f"image {image}",
            detail=said or "its registry is asked for it",
            failing=bool(problem),
        )
