"""Whatever Podman holds: a pass makes what lacks, touches nothing of others, and then has done."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.core.plan.planner import plan
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.observed import (
    AppliedApp,
    Inventory,
    Manifest,
    Observed,
    ObservedApp,
    UnitState,
)
from supervisor.model.plan import PutSecrets, RemoveSecret
from supervisor.model.quadlet import UnitKind
from supervisor.model.secret import DesiredSecret, OwnedSecret, SecretKind, SecretUse

NAMES = ("a", "b", "c")


def secret(name, kind, oid):
    return DesiredSecret(name=name, kind=kind, path=f"{name}.secret", place=f"{name}.x", oid=oid)


def deployed(app, secrets, *, uses, before=False):
    """One app with a unit that uses these secrets; `before`, it was applied already."""
    unit = DesiredUnit(
        name=f"{app}.service",
        kind=UnitKind.CONTAINER,
        path=f"{app}.container",
        digest="1",
        secret_uses=tuple(SecretUse(name, f"{app}.container", 1) for name in uses),
    )
    wanted = DesiredApp(
        name=app,
        source="home",
        revision="r1",
        root=app,
        files=(),
        units=(unit,),
        generator="g",
        secrets=tuple(secrets),
    )
    return Deployment(name=app, wanted=wanted, last_good=wanted if before else None)


@st.composite
def deployments(draw):
    """Apps that describe some of the secrets, none the same, and use some."""
    free = list(NAMES)
    made = []
    for app in ("one", "two"):
        own = [name for name in tuple(free) if draw(st.booleans())]
        free = [name for name in free if name not in own]
        uses = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
        kinds = st.sampled_from([SecretKind.AGE, SecretKind.GENERATE])
        secrets = [secret(name, draw(kinds), draw(st.sampled_from("12"))) for name in own]
        made.append(deployed(app, secrets, uses=uses, before=draw(st.booleans())))
    return made


@st.composite
def inventories(draw):
    there, owned = {}, {}
    for name in NAMES:
        match draw(st.sampled_from(["absent", "foreign", "one", "two", "gone"])):
            case "absent":
                continue
            case "foreign":
                there[name] = "id"
            case app:
                there[name] = "content"
                mark = draw(st.sampled_from(["age1", "age2", "generate"]))
                owned[name] = OwnedSecret(
                    app=app, made_of=mark, content="content", stays=mark == "generate"
                )
    return Inventory(secrets=there, owned_secrets=owned)


def mark(one):
    return "generate" if one.kind is SecretKind.GENERATE else f"age{one.oid}"


def carry_out(made, inventory):
    """What Podman holds after a plan's steps for secrets."""
    there, owned = dict(inventory.secrets), dict(inventory.owned_secrets)
    for step in made.steps:
        match step:
            case PutSecrets(app=app, puts=puts):
                for put in puts:
                    name = put.secret.name
                    assert name in owned or name not in there, "it is somebody else's"
                    there[name] = f"content of {mark(put.secret)}"
                    owned[name] = OwnedSecret(
                        app=app,
                        made_of=mark(put.secret),
                        content=there[name],
                        stays=put.secret.stays,
                    )
            case RemoveSecret(secret=name):
                assert name in owned, "it is somebody else's"
                assert not owned[name].stays, "nobody could make it again"
                del there[name], owned[name]
            case _:
                pass
    return msgspec.structs.replace(inventory, secrets=there, owned_secrets=owned)


def look(wanted, inventory):
    observed = Observed(
        units={
            unit.name: UnitState(name=unit.name, load="loaded")
            for app in wanted
            for unit in app.wanted.units
        },
        targets=frozenset(),
        apps={
            app.name: ObservedApp(
                name=app.name,
                manifest=Manifest(
                    name=app.name,
                    source="home",
                    revision="r1",
                    root=app.name,
                    files=(),
                    units=tuple(unit.name for unit in app.wanted.units),
                    sealed=True,
                ),
            )
            for app in wanted
        },
        inventory=inventory,
        applied={
            app.name: AppliedApp(
                name=app.name,
                source="home",
                revision="r1",
                content=app.wanted.content,
                applied_at=0.0,
                units={},
            )
            for app in wanted
        },
        owned_root="/owned",
        made_of={one: mark(one) for app in wanted for one in app.wanted.secrets},
    )
    offered = {one.name: app.name for app in wanted for one in app.wanted.secrets}
    return plan(wanted, observed, 1000.0, offered=offered)


def secret_steps(made):
    return [step for step in made.steps if isinstance(step, PutSecrets | RemoveSecret)]


def waits_for_others(app, inventory):
    """Whether another app is to make a secret of it first; that one may be refused for ever."""
    own = {one.name for one in app.wanted.secrets}
    needs = {name for unit in app.wanted.units for name in unit.secrets}
    return bool(needs - own - inventory.secrets.keys())


@given(deployments(), inventories())
@example(
    [
        # One could take over `a`, but waits for `b` of two, which is refused as `c` is not its own.
        deployed("one", [secret("a", SecretKind.AGE, "1")], uses=["b"]),
        deployed("two", [secret(n, SecretKind.AGE, "1") for n in "bc"], uses=[]),
    ],
    Inventory(
        secrets={"a": "content", "c": "id"},
        owned_secrets={"a": OwnedSecret(app="gone", made_of="age1", content="content")},
    ),
)
def test_a_few_passes_end_with_every_secret_that_can_be(wanted, before):
    inventory = before
    for _ in range(3):  # a third, for what another app gave up in the second
        inventory = carry_out(look(wanted, inventory), inventory)
    last = look(wanted, inventory)
    assert secret_steps(last) == []
    offered = {one.name: app.name for app in wanted for one in app.wanted.secrets}
    for app, verdict in zip(wanted, last.verdicts, strict=True):
        for one in app.wanted.secrets:
            owner = inventory.owned_secrets.get(one.name)
            foreign = one.name in before.secrets and one.name not in before.owned_secrets
            if foreign:
                assert owner is None
                assert any(one.name in finding.message for finding in verdict.findings)
            elif not any(finding.fatal for finding in verdict.findings):
                assert owner
                # While it waits for another's secret, its revision is not there yet, and what
                # runs keeps the secrets that it has.
                if not waits_for_others(app, inventory):
                    assert (owner.app, owner.made_of) == (app.name, mark(one))
        left = {
            name
            for name, owner in inventory.owned_secrets.items()
            if owner.app == app.name and offered.get(name) != app.name and not owner.stays
        }
        if verdict.complete:
            # What another app describes is left to it.
            assert all(name in offered for name in left)
        lacking = {
            use.name
            for use in app.wanted.units[0].secret_uses
            if use.name not in inventory.secrets and use.name not in offered
        }
        told = {finding.message.split()[4] for finding in verdict.findings if finding.line}
        assert {f"{name}," for name in lacking} <= told


@given(deployments(), inventories())
def test_what_is_others_stays_as_it_is(wanted, before):
    after = carry_out(look(wanted, before), before)
    for name, identity in before.secrets.items():
        if name not in before.owned_secrets:
            assert after.secrets[name] == identity
