"""Which images stay, and which go."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.images.keep import KEPT, chores, kept_name, versions_to_keep
from supervisor.core.images.stored import references
from supervisor.model.image import Pin, StoredImage
from supervisor.model.rollout import Outcome, Rollout

KEYS = ("docker.io/library/nginx:1 digest", "localhost/own:1 local")


def version(number: int) -> str:
    """By digest, of one of two images; or an image's id."""
    digest = f"{number:064x}"[::-1]
    return digest if number % 3 == 2 else f"docker.io/library/{'nr'[number % 3]}@sha256:{digest}"


def rollout(release: int, *versions: int, outcome: Outcome = Outcome.GOOD) -> Rollout:
    pins = tuple(
        Pin(path=f"{at}.container", question=KEYS[at % 2], runs=version(one))
        for at, one in enumerate(versions)
    )
    return Rollout(
        name="web",
        source="home",
        revision="r",
        root="web",
        files=(),
        pins=pins,
        release=str(release),
        began_at=float(release),
        ended_at=release + 0.5,
        outcome=outcome,
    )


def kept(*rollouts: Rollout, needed: tuple[str, ...] = (), keep: int = 2) -> set[str]:
    return set(versions_to_keep(rollouts, needed=needed, keep=lambda _: keep))


def test_the_newest_that_were_good_are_kept_each_once() -> None:
    some = [rollout(n, n) for n in (1, 2, 3)]
    assert kept(*some) == {version(3), version(2)}
    assert kept(*some, rollout(4, 3)) == {version(3), version(2)}
    assert kept(*some, keep=0) == set()
    assert kept(*some, needed=("1",)) == {version(3), version(2), version(1)}
    assert kept(*some, needed=("3",)) == {version(3), version(2)}, "it is one of them"


def test_one_that_failed_is_kept_only_where_it_is_needed() -> None:
    failed = rollout(4, 4, outcome=Outcome.FAILED)
    assert kept(rollout(1, 1), failed) == {version(1)}
    assert kept(rollout(1, 1), failed, needed=("4",)) == {version(1), version(4)}


def test_what_is_on_trial_is_kept() -> None:
    trial = rollout(2, 2, outcome=Outcome.TRIAL)
    assert kept(trial) == set(), "something newer came"
    assert kept(msgspec.structs.replace(trial, ended_at=0.0)) == {version(2)}


def test_each_image_of_an_app_has_versions_of_its_own() -> None:
    some = [rollout(n, 1 if n < 4 else 4, n + 10) for n in (1, 2, 3, 4)]
    assert kept(*some) == {version(1), version(4), version(13), version(14)}


def test_podvisors_own_name_says_which_image_it_is() -> None:
    digest = "@sha256:" + "a" * 64
    assert kept_name(f"localhost:5000/me/web{digest}") == f"{KEPT}/me/web:aaaaaaaaaaaa"
    assert kept_name(f"docker.io/library/nginx{digest}") == f"{KEPT}/library/nginx:aaaaaaaaaaaa"
    for odd in ("b" * 64, f"quay.io/{'x' * 250}@sha256:{'b' * 64}", f"short@sha256:{'b' * 64}"):
        assert kept_name(odd) == f"{KEPT}:bbbbbbbbbbbb"


def image(number: int, *names: str) -> StoredImage:
    digest = f"{number:064x}"[::-1]
    by_digest = [name for name in [version(number)] if "@" in name]
    return StoredImage(
        id=digest, names=(*by_digest, *names), digests=(f"sha256:{digest}",) if by_digest else ()
    )


def test_what_was_pulled_by_digest_goes_with_all_its_names() -> None:
    old = image(1, kept_name(version(1)))
    todo = chores({version(3)}, [old, image(3)], tried=set(), used=())
    assert todo.tag == {kept_name(version(3)): version(3)}
    assert todo.remove == ((kept_name(version(1)), version(1)),)
    assert not chores({version(3)}, [old], tried=set(), used=[old.id]).remove


def test_what_is_somebody_elses_loses_no_more_than_our_name() -> None:
    for theirs in (
        image(1, kept_name(version(1)), "docker.io/library/nginx:1"),
        StoredImage(id=version(2), names=(kept_name(version(2)), "localhost/own:1")),
        StoredImage(id=version(2), names=(kept_name(version(2)),)),
    ):
        todo = chores(set(), [theirs], tried=set(), used=())
        assert not todo.remove
        assert todo.untag == tuple(name for name in theirs.names if name.startswith(KEPT))
    nothing = chores(set(), [], tried=set(), used=())
    assert chores(set(), [image(1)], tried=set(), used=()) == nothing
    assert chores(set(), [image(1)], tried={version(1)}, used=()).remove == ((version(1),),)


def test_what_was_pulled_by_a_tag_is_kept_by_the_digest_that_it_has() -> None:
    tagged = StoredImage(id="1" * 64, names=("quay.io/a:1",), digests=("sha256:" + "a" * 64,))
    runs = "quay.io/a@sha256:" + "a" * 64
    assert chores({runs}, [tagged], tried=set(), used=()).tag == {kept_name(runs): runs}
    assert not chores({"quay.io/b@sha256:" + "a" * 64}, [tagged], tried=set(), used=()).tag


numbers = st.integers(0, 5)
stores = st.lists(
    st.builds(
        lambda number, own, theirs: image(
            number, *([kept_name(version(number))] if own else []), *theirs
        ),
        numbers,
        st.booleans(),
        st.lists(st.sampled_from(("localhost/own:1", "quay.io/x:2")), max_size=1),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)


def carried_out(
    wanted: set[str], store: list[StoredImage], tried: set[str], used: set[str]
) -> dict[str, tuple[str, ...]]:
    """Images with their names afterwards, as Podman would have it."""
    todo = chores(wanted, store, tried=tried, used=used)
    names = {one.id: list(one.names) for one in store}
    for name, runs in todo.tag.items():
        (found,) = (one for one in store if runs in references(one))
        names[found.id].append(name)
    for name in todo.untag:
        next(some for some in names.values() if name in some).remove(name)
    for some in todo.remove:
        for name in some:
            identity = next(one for one, called in names.items() if name in called)
            names[identity].remove(name)
            if not names[identity]:
                assert identity not in used
                del names[identity]
    return {identity: tuple(sorted(some)) for identity, some in names.items()}


@given(
    wanted=st.sets(numbers.map(version)),
    store=stores,
    tried=st.sets(numbers.map(version)),
    used=st.sets(numbers),
)
def test_what_is_wanted_used_or_somebody_elses_stays(
    wanted: set[str], store: list[StoredImage], tried: set[str], used: set[int]
) -> None:
    in_use = {f"{one:064x}"[::-1] for one in used}
    after = carried_out(wanted, store, tried, in_use)
    for one in store:
        theirs = [name for name in one.names if not name.startswith(KEPT)]
        is_wanted = not wanted.isdisjoint(references(one))
        has_tag = any("@" not in name for name in theirs)
        is_ours = len(theirs) < len(one.names) or not tried.isdisjoint(references(one))
        if is_wanted or one.id in in_use or has_tag or not is_ours or not theirs:
            assert set(theirs) <= set(after[one.id]), one
        else:
            assert one.id not in after
        if is_wanted:
            assert any(name.startswith(KEPT) for name in after[one.id])
    again = [
        StoredImage(id=one.id, names=after[one.id], digests=one.digests)
        for one in store
        if one.id in after
    ]
    todo = chores(wanted, again, tried=tried, used=in_use)
    assert (todo.tag, todo.untag, todo.remove) == ({}, (), ())
