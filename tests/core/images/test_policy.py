"""Which tag a policy chooses: examples, what holds for any tags, and what it costs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.images.patterns import compile_pattern
from supervisor.core.images.policy import TagChoice, newest
from supervisor.core.images.policy_text import (
    complete,
    nothing_fits,
    read_filter,
    read_policy,
    variant_left,
)
from supervisor.core.images.versions import natural_key, parse_range, version_key
from supervisor.core.images.words import policy_words
from supervisor.model.image import (
    ImagePolicy,
    PolicyKind,
    TagOrder,
)


def chosen(policy: str, *tags: str, pattern: str = "", prereleases: bool = False) -> str:
    whole = complete(read_policy(policy), pattern=pattern, prereleases=prereleases)
    return newest(tags, whole).tag


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ("^1.4", "1.4 1.4.0 v1.9.9 1.4.0.1", "1.3.9 2 2.0.0 v0.9"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.0"),
        ("^0.0.3", "0.0.3", "0.0.4 0.1"),
        ("^0.0", "0.0.9", "0.1"),
        ("^0", "0.9", "1"),
        ("~1.4", "1.4 1.4.9", "1.5 1.3"),
        ("~1.4.2", "1.4.2 1.4.9", "1.5 1.4.1"),
        ("~1", "1.9", "2"),
        (">=1.2 <2", "1.2 1.99.9", "1.1.9 2 2.0.1"),
        (">= 1.2, < 2", "1.2 1.99.9", "1.1.9 2"),
        (">1.4", "1.5 2", "1.4 1.4.9"),
        ("<=1.4", "1.4.9 1", "1.5"),
        (">1.4.0", "1.4.1", "1.4 1.4.0"),
        ("<=1.4.0", "1.4 1.3", "1.4.1"),
        ("1.x", "1 1.9.9", "2 0.9"),
        ("1.4.*", "1.4 1.4.7", "1.5"),
        ("1.27", "1.27 1.27.9", "1.28"),
        ("=1.4.2", "1.4.2 v1.4.2", "1.4.3 1.4.2.1"),
        ("1.4.2", "1.4.2", "1.4.3"),
        ("!=1.4.2 ^1.4", "1.4.1 1.4.3", "1.4.2"),
        ("1.2 - 1.4", "1.2 1.4.9", "1.5 1.1"),
        ("^1 || ^3", "1.1 3.9", "2.1 4"),
        ("*", "0 1 99.9", ""),
        ("v1.x", "v1.2", "v2"),
        ("2024.x", "2024.10.1 2024.05", "2025.1"),
    ],
)
def test_ranges(wanted, inside, outside):
    found = parse_range(wanted)
    held = {tag: found.holds(version_key(tag)) for tag in (*inside.split(), *outside.split())}
    assert held == dict.fromkeys(inside.split(), True) | dict.fromkeys(outside.split(), False)


@pytest.mark.parametrize(
    "text", ["", " ", "latest", "^", "1..2", "~>1.4", "^1 ||", "!=1.4", ">*", "=>1", "1" * 300]
)
def test_what_is_no_range_says_what_to_write(text):
    with pytest.raises(ValueError, match=r"write|longer"):
        parse_range(text)


def test_the_order_of_versions():
    # These words are the example of semver.org, 11, and two that are put in order as people mean.
    words = ("alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1", "rc9", "rc10")
    there = (*(f"1.0.0-{word}" for word in words), "1.0.0", "1.0.0.1", "1.0.1", "1.2", "1.10", "2")
    keys = [version_key(one) for one in there]
    assert keys == sorted(keys)
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert version_key("v1.27") == version_key("1.27.0") == version_key("01.27")


@pytest.mark.parametrize(
    "text", ["", "latest", "v", "1.2.3rc1", "1.2.", "1.2_3", "20241001", "1234567", "2024-10-01"]
)
def test_what_is_no_version(text):
    assert version_key(text) is None


@pytest.mark.parametrize(
    ("policy", "tags", "tag"),
    [
        ("semver:^1.4", "1.3 1.4.2 1.10.0 2.0.0 latest", "1.10.0"),
        ("semver:^1", "v1.2 1.2 1.2.0 1.1", "1.2.0"),
        ("semver:^1", "1.2.3 1.3.0-rc.1 1.2.4-alpine", "1.2.3"),
        ("semver:^1.3.0-rc.1", "1.2.3 1.3.0-rc.2 1.4.0-rc.1", "1.3.0-rc.2"),
        ("semver:<2", "2.0.0-rc.1 1.9", "1.9"),
        ("semver:^9", "1 2 3", ""),
        (r"regex:^v(?P<n>\d+)$ numeric:n", "v9 v10 v1x 11", "v10"),
        (r"regex:v(?P<n>\d+)", "v9 v10", "v10"),
        (r"regex:v(?P<n>\d+) alphabetical", "v9 v10", "v9"),
        (
            r"regex:main-[a-f0-9]+-(?P<at>\d+) numeric",
            "main-ff-9 main-00-10 dev-1-99",
            "main-00-10",
        ),
        (r"regex:build-(\d+(?:\.\d+)?) alphabetical", "build-1 build-2", "build-2"),
        ("newest", "1.9 1.10 latest 2.0.0-rc.1 20241001 main-7", "1.10"),
        ("newest", "20240930 20241001 latest", "20241001"),
        ("newest", "2024-09-30 2024-10-01 nightly", "2024-10-01"),
        ("newest", "main-9 main-10 main", "main-10"),
        ("newest", "latest stable edge", ""),
        ("newest", "main-9f3c2a1 main-0a7be44 main-1111111 sha-0fe1a2b3 latest", ""),
        ("newest", f"{'0' * 39}a main-g9f3c2a1 {'1' * 7}", ""),
        ("newest", "main-20241001-9f3c2a1 main-20241002-0a7be44", "main-20241002-0a7be44"),
        ("newest", "9f3c2a1-9 0a7be44-10", "0a7be44-10"),
        ("newest", "main-12-ffffffa1 main-9-0a7be44", "main-12-ffffffa1"),
        ("newest", "v1-beefcafe 1.1", "1.1"),
        ("newest", f"1.0 sha256-{'9' * 64}.sig sha256-{'9' * 64}", "1.0"),
    ],
)
def test_what_is_chosen(policy, tags, tag):
    assert chosen(policy, *tags.split()) == tag


def test_a_filter_is_held_to_and_its_group_is_what_is_compared():
    tags = ("1.27.3", "1.27.2-alpine", "1.27.1-alpine3.20", "1.9.9-alpine")
    assert chosen("semver:^1.27", *tags, pattern=r"(?P<v>[\d.]+)-alpine") == "1.27.2-alpine"
    assert chosen("newest", *tags, pattern=".*-alpine", prereleases=True) == "1.27.2-alpine"
    assert chosen(r"regex:(?P<n>\d+)\..*", *tags, pattern="1.9.*") == "1.9.9-alpine"


def test_of_one_version_the_newest_of_what_it_is_built_on():
    tags = ("1.2-alpine3.9", "1.2-alpine3.10", "1.1-alpine3.11")
    assert chosen("semver:*", *tags, pattern=r"(?P<v>[\d.]+)-alpine[\d.]+") == "1.2-alpine3.10"


def test_prereleases_count_where_they_are_asked_for():
    assert chosen("semver:^1", "1.0", "1.1.0-rc.1", "2.0.0-rc.1", prereleases=True) == "1.1.0-rc.1"
    assert chosen("newest", "1.0", "1.1.0-rc.1", prereleases=True) == "1.1.0-rc.1"
    for policy in ("^2", "~2", ">=2", "2.x", "2.0"):
        assert chosen(f"semver:{policy}", "2.0.0-rc.1", prereleases=True) == "2.0.0-rc.1"
    for policy in ("^2.0.0", "<2", "~1", "1 - 1.9"):
        assert not chosen(f"semver:{policy}", "2.0.0-rc.1", prereleases=True)


def test_by_digest_it_is_the_tag_that_is_named():
    assert newest(["1", "2"], ImagePolicy(), named="1") == TagChoice("1")


def test_what_fits_nothing_says_what_comes_nearest():
    policy = read_policy("semver:^9")
    choice = newest(["1.2", "latest", "1.10", "1.9", "0.1"], policy)
    assert choice == TagChoice(near=("1.10", "1.9", "1.2"))
    assert nothing_fits("docker.io/library/nginx", policy, choice.near) == (
        "no tag of docker.io/library/nginx fits semver:^9",
        "the nearest are 1.10, 1.9, 1.2",
    )
    early = nothing_fits("x", policy, newest(["8.0", "9.0.0-rc.1"], policy).near)[1]
    assert early == "9.0.0-rc.1 is a pre-release: write ImagePrereleases=yes, if that is meant"
    filtered = complete(policy, pattern="1.9.*")
    assert newest(["1.10", "1.9", "1.9.1"], filtered).near == ("1.9.1", "1.9")
    assert newest(["a", "b"], filtered).near == ("b", "a")
    assert newest([], filtered) == TagChoice()
    assert "no tags" in nothing_fits("x", filtered, ())[1]


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("1.27-alpine", "semver:^1.27"),
        ("v1.27.3-alpine3.20", "newest"),
        ("1.27.3-fpm-alpine", "semver:~1.27"),
        ("9.0.1-ls269", "newest"),
    ],
)
def test_a_variant_that_a_policy_does_not_keep_is_told_with_what_keeps_it(tag, text):
    policy = read_policy(text)
    left = variant_left(tag, policy)
    assert left
    pattern = left[1].partition("ImageFilter=")[2]
    kept = complete(policy, pattern=read_filter(pattern))
    assert newest([tag, "1.99", "1.99-perl"], kept).tag == tag
    assert variant_left(tag, kept) is None


@pytest.mark.parametrize(
    ("tag", "next_tag", "pattern"),
    [
        (
            "1.43.3.9999-ffddaeb12",
            "1.43.4.1-a0b1c2d3e",
            r"(?P<version>[\d.]+)-[0-9a-f]+",
        ),
        ("1.43.3.9999-0fddaeb12", "1.43.4.1-7654321", r"(?P<version>[\d.]+)-[0-9a-f]+"),
        ("v1.4.0-gabc1234", "v1.5.0-g7654321", r"(?P<version>v?[\d.]+)-g[0-9a-f]+"),
        (
            "1.4.0-alpine3.20-abc1234",
            "1.5.0-alpine3.21-0012345",
            r"(?P<version>[\d.]+)-alpine\d+\.\d+-[0-9a-f]+",
        ),
    ],
)
def test_a_commit_behind_a_version_is_no_variant_to_stay_with(tag, next_tag, pattern):
    policy = read_policy("semver:^1")
    left = variant_left(tag, policy)
    assert left
    assert "with nothing behind their version" in left[0]
    assert left[1].partition("ImageFilter=")[2] == pattern
    assert newest([tag, next_tag], complete(policy, pattern=pattern)).tag == next_tag


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("1.27", "semver:^1.27"),
        ("2.0.0-rc.1", "semver:^2"),
        ("2.0.0-beta2", "newest"),
        ("2.0.0-b2", "newest"),
        ("2024-10-01", "newest"),
        ("1.4-20241001", "newest"),
        ("1.4-1e5", "newest"),
        ("main-17", "newest"),
        ("latest", "newest"),
        ("", "newest"),
        ("1.27-alpine", "digest"),
        ("1.27-alpine", "regex:.*-alpine alphabetical"),
    ],
)
def test_what_is_no_variant_is_not_told_of(tag, text):
    assert variant_left(tag, read_policy(text)) is None


def test_that_only_commits_are_named_is_told():
    policy = read_policy("newest")
    near = newest(["main-9f3c2a1", "main-0a7be44", "latest"], policy).near
    assert "does not say which is newer" in nothing_fits("x", policy, near)[1]
    near = newest(["latest", "edge"], policy).near
    assert "commit" not in nothing_fits("x", policy, near)[1]


@pytest.mark.parametrize(
    "text",
    ["digest", "newest", "semver:>=1.2 <2", r"regex:v(?P<n>\d+) numeric:n", "regex:v numeric"],
)
def test_a_policy_is_written_as_it_is_read(text):
    assert policy_words(read_policy(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("^1.4", "write semver:^1.4"),
        ("semvre:^1.4", "did you mean semver?"),
        ("always", "write digest"),
        ("digest:x", "stands alone"),
        ("semver", "say which tags"),
        ("semver:one", "is no range"),
        ("regex:", "say which tags"),
        ("regex:(", "is no regular expression"),
        ("regex:v(?P<n>1) numeric:m", "no group m; there is n"),
        ("regex:v numeric:m", "it has none"),
        (f"regex:{'v' * 201}", "longer"),
        ("regex:[[a]", "not clear"),
    ],
)
def test_what_is_no_policy(text, words):
    with pytest.raises(ValueError, match=r".") as wrong:
        read_policy(text)
    assert words in str(wrong.value)


def test_of_several_groups_one_has_to_be_named():
    with pytest.raises(ValueError, match="numeric:a"):
        complete(read_policy("regex:(?P<a>1)(?P<b>2)"))
    with pytest.raises(ValueError, match="only one"):
        complete(read_policy("newest"), pattern="(?P<a>1)(?P<b>2)")


@pytest.mark.parametrize(
    "text",
    [
        r"^v(?P<n>\d+)$",
        r"\d+(\.\d+)*",
        r"v(\d+)\.(\d+)\.(\d+)-(\w+)",
        r"(?P<v>\d+\.\d+(\.\d+)?)(-alpine[\d.]*)?",
        r"main-[a-f0-9]+-(?P<at>\d+)",
        r"RELEASE\.(?P<at>.*)Z",
        r"(?P<at>.*)-alpine.*",
        r"(?:[a-z0-9]+-)*\d+",
        r"(?i)v?[\d.]+(-rc\d+)?",
        r"(?!.*rc).*",
        r"(stable|edge)-\d{8}",
        r"[^-]+-[^-]+-[^-]+-[^-]+",
        r"(?>\w+)-x",
        r"\w++-x",
        r"(v)?(?(1)\d+|latest)",
        r"(\d)\1+",
    ],
)
def test_patterns_that_people_write(text):
    compile_pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$",
        "(a*)*b",
        "(a|a)+b",
        "(a|aa)+b",
        r"(\d+)*x",
        r"(\w+\.?)+x",
        "(.*-)*x",
        ".*-.*-arm64",
        "a?" * 40 + "a" * 40,
        "(a{1,30}){1,30}b",
        "(?=(a+)+b)a*",
        "(?i)(A+a*)+b",
    ],
)
def test_patterns_that_could_take_for_ever(text):
    with pytest.raises(ValueError, match="could take for ever"):
        compile_pattern(text)


WORDS = st.sampled_from(
    (
        "1",
        "2",
        "10",
        "v",
        "rc",
        "alpine",
        "latest",
        ".",
        "-",
        "_",
        "0",
        "07",
        "1.2",
        "1.2.3",
        "-rc.1",
    )
)
TAGS = st.lists(WORDS, max_size=5).map("".join) | st.text(max_size=12)
POLICIES = st.builds(
    lambda text, pattern, pre: complete(read_policy(text), pattern=pattern, prereleases=pre),
    st.sampled_from(
        [
            "semver:^1",
            "semver:*",
            "semver:>=1.2 <10 || 10.x",
            "newest",
            r"regex:v?(?P<n>\d+)",
            "regex:.* alphabetical",
        ]
    ),
    st.sampled_from(["", "[^r]*", "1.*", r".*alpine", r"v?[\d.]+"]),
    st.booleans(),
)


@given(st.lists(TAGS, max_size=6), POLICIES, st.data())
def test_any_tags_in_any_order_give_the_same_and_it_is_the_highest(tags, policy, data):
    first = newest(tags, policy)
    assert newest(data.draw(st.permutations([*tags, *tags[:2]])), policy) == first
    fits = {tag for tag in tags if newest([tag], policy).tag}
    assert bool(first.tag) == bool(fits)
    assert first.tag in fits or set(first.near) <= set(tags)
    # It beats each of them by itself: antisymmetric, and total.
    for tag in fits:
        assert newest([tag, first.tag], policy).tag == first.tag
        assert not policy.filter or compile_pattern(policy.filter).fullmatch(tag)


@given(st.lists(TAGS, min_size=3, max_size=3), POLICIES)
def test_the_order_is_transitive(tags, policy):
    def above(one: str, other: str) -> bool:
        return newest([one, other], policy).tag == one

    low, middle, high = tags
    if all(newest([tag], policy).tag for tag in tags) and above(high, middle):
        assert not above(middle, low) or above(high, low)


@given(st.text(max_size=300) | st.from_regex(r"[\^~<>=!*xv0-9. |,-]{0,40}"), TAGS)
def test_any_policy_is_read_or_told_of(text, tag):
    for form in ("{}", "semver:{}", "regex:{}", "regex:{} numeric:n"):
        try:
            policy = read_policy(form.format(text))
        except ValueError as error:
            assert str(error)  # noqa: PT017
            continue
        newest([tag], policy, named="1")


@given(st.text(max_size=40), TAGS)
def test_a_policy_that_cannot_be_read_fits_nothing(pattern, tag):
    for kind in (PolicyKind.SEMVER, PolicyKind.REGEX):
        newest([tag], ImagePolicy(kind=kind, pattern=pattern, filter=pattern, group="n"))
    broken = ImagePolicy(kind=PolicyKind.REGEX, pattern="(", order=TagOrder.ALPHABETICAL)
    assert newest([tag], broken) == TagChoice()


@pytest.mark.once
@pytest.mark.parametrize("policy", ["semver:^1.4", "semver:^99", "newest", r"regex:[\d.]+ numeric"])
def test_twenty_thousand_tags_cost_little(policy):
    mixed = [at * 7_919 % 20_011 for at in range(20_000)]
    tags = [f"{at % 31}.{at % 40}.{at}{f'-rc.{at}' if at % 2 else ''}" for at in mixed]
    whole = complete(read_policy(policy), pattern="[a-z0-9.-]+")
    began = time.process_time()
    choice = newest(tags, whole)
    spent = time.process_time() - began
    began = time.process_time()
    sorted(map(natural_key, tags))
    assert choice.tag or choice.near
    # Of the order of one sort of them, whatever the machine: 100 ms on one of the year 2020.
    assert spent < 4 * (time.process_time() - began) + 0.1


def test_letters_that_no_tag_has_fit_nothing():
    tags = ["1.0\n", "\u0661.\u0662", "1.0 ", "1" * 129, "\ud800", "", ".1", "a b"]
    assert newest(tags, ImagePolicy(kind=PolicyKind.NEWEST)) == TagChoice()


@pytest.mark.parametrize("prefix", ["", "v", "release-"])
def test_dates_with_dashes_are_dates_whatever_stands_before_them(prefix):
    tags = [f"{prefix}2026-1-30", f"{prefix}2026-09-01", f"{prefix}2026-12-25-2", "latest"]
    policy = ImagePolicy(kind=PolicyKind.NEWEST)
    assert newest(tags, policy).tag == f"{prefix}2026-12-25-2"
