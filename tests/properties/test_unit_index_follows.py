"""An index that follows deployments knows what one that is made of them knows."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervisor.controllers.desired.unit_index import UnitIndex
from supervisor.model.app import Deployment
from supervisor.model.certificate import CertificateTerms, CertificateUse, DesiredCertificate
from tests.fakes.machine import app, container, deploy

SITE = CertificateUse(name="site")
ASKED = DesiredCertificate(
    name="site", path="site.certificate", terms=CertificateTerms(domains=("a.example",))
)
ONE = app("x", container("web", certificate_uses=(SITE,)), container("job@"))
OTHER = app("x", container("web", wanted_by=("other.target",)), container("db"), revision="r2")
OFFERING = msgspec.structs.replace(OTHER, certificates=(ASKED,))
CHOICES = [deploy(ONE), deploy(OTHER, ONE), deploy(OFFERING), deploy(None, ONE), deploy(ONE, ONE)]
UNITS = (
    "web.service",
    "job@.service",
    "db.service",
    "default.target",
    "other.target",
    "no.service",
)

worlds = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(CHOICES))


@given(st.lists(worlds, min_size=2, max_size=6))
def test_it_follows(worlds: list[dict[str, Deployment]]) -> None:
    index = UnitIndex()
    for world in worlds:
        index.follow(world)
        fresh = UnitIndex().follow(world)
        for unit in UNITS:
            assert sorted(index.apps(unit)) == sorted(fresh.apps(unit)), unit
        assert sorted(index.users("site")) == sorted(fresh.users("site"))
        assert index.targets == fresh.targets
        assert (index.secrets, index.certificates) == (fresh.secrets, fresh.certificates)


def test_what_is_as_before_is_not_looked_into() -> None:
    class Seen(Deployment, frozen=True):
        looks = 0

        @property
        def units(self):  # type: ignore[no-untyped-def, override]
            Seen.looks += 1
            return super().units

    def seen(one: Deployment) -> Deployment:
        return Seen(**{name: getattr(one, name) for name in one.__struct_fields__})

    world = {name: seen(deploy(ONE)) for name in "abcdef"}
    index = UnitIndex().follow({"a": world["a"]})
    alone = Seen.looks
    index.follow(world)
    assert Seen.looks == 6 * alone
    index.follow({**world, "a": deploy(OTHER)})
    assert Seen.looks == 7 * alone, "only at what it was"
    index.follow({name: world[name] for name in "bc"} | {"a": deploy(OTHER)})
    assert list(index.apps("web.service")) == ["b", "c", "a"]
