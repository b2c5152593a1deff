"""The digest of a unit: no order that means nothing counts, everything that is said does."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.digest import digest
from supervisor.core.files.unitfile import UnitFile, parse

MADE_BY = {
    "Container": ("ExecStart", "run"),
    "Pod": ("ExecStartPre", "pod create"),
    "Volume": ("ExecStart", "volume create"),
    "Network": ("ExecStart", "network create"),
    "Image": ("ExecStart", "image pull"),
    "Artifact": ("ExecStart", "artifact pull"),
    "Build": ("ExecStart", "build"),
    "Kube": ("ExecStart", "kube play"),
}
KEYED = ("--env", "--label", "--annotation", "--sysctl", "--opt", "--build-arg")
SETS = ("--cap-add", "--publish", "-v", "--mount", "--ulimit", "--network-alias", "--secret")
ORDERED = ("--dns", "--network", "--add-host", "--subnet", "--gateway", "--env-file", "--cpus")
SWITCHES = ("--read-only", "--rm", "--tls-verify=false", "--ipv6", "-d", "--all-tags")

Option = tuple[str, ...]
"""As the generator writes it: a switch, or an option and its value."""

value = st.text("abcxyz0189.:/=-_", min_size=1, max_size=8).filter(lambda text: text[0] != "-")
option = st.one_of(
    st.tuples(st.sampled_from(SWITCHES)),
    st.tuples(st.sampled_from((*SETS, *ORDERED)), value),
    st.builds(
        lambda name, key, text: (name, f"{key}={text}"),
        st.sampled_from(KEYED),
        st.sampled_from("ABC"),
        value,
    ),
    st.tuples(st.just("--memory-swap"), st.just("-1")),
)
words = st.lists(st.one_of(value, st.sampled_from(("-c", "--dns", "--env"))), max_size=3)


def unit(kind: str, options: Sequence[Option], ran: Sequence[str]) -> UnitFile:
    key, making = MADE_BY[kind]
    operands = {"Pod": [], "Container": ["localhost/x:1", *ran]}.get(kind, ["last"])
    command = " ".join(["/usr/bin/podman", making, *(" ".join(one) for one in options), *operands])
    said = {"Container": f"Exec={' '.join(ran)}", "Kube": "Yaml=last"}.get(kind, "")
    return parse(f"[X-{kind}]\n{said}\n[Service]\n{key}={command}\nExecStop=podman rm x\n")


def series(options: Sequence[Option]) -> dict[object, list[str]]:
    """What stays in its order: the values of one option; of sets and variables, each by itself."""
    kept: dict[object, list[str]] = {}
    for name, *rest in options:
        text = "".join(rest)
        if name in KEYED:
            kept.setdefault((name, text.partition("=")[0]), []).append(text)
        elif name in SETS:
            kept.setdefault((name, text), []).append(text)
        else:
            kept.setdefault(name, []).append(text)
    return kept


@given(kind=st.sampled_from(sorted(MADE_BY)), options=st.lists(option), ran=words, data=st.data())
def test_an_order_that_means_nothing_is_no_change(
    kind: str, options: list[Option], ran: list[str], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(options))
    same = series(options) == series(shuffled)
    assert (digest(unit(kind, options, ran)) == digest(unit(kind, shuffled, ran))) == same


@given(kind=st.sampled_from(sorted(MADE_BY)), options=st.lists(option), ran=words, data=st.data())
def test_whatever_is_said_otherwise_is_a_change(
    kind: str, options: list[Option], ran: list[str], data: st.DataObject
) -> None:
    before = digest(unit(kind, options, ran))
    other = [*options, data.draw(option)]
    assert digest(unit(kind, other, ran)) != before
    if options:
        at = data.draw(st.integers(0, len(options) - 1))
        changed = [*options]
        changed[at] = (*options[at][:-1], f"{options[at][-1]}.x")
        assert digest(unit(kind, changed, ran)) != before
    if kind == "Container":
        assert digest(unit(kind, options, [*ran, "more"])) != before
        if ran != ran[::-1]:
            assert digest(unit(kind, options, ran[::-1])) != before
