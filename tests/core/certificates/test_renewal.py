"""When a certificate is renewed, and when its failing is told of."""

import pytest
from msgspec.structs import replace

from supervisor.core.certificates import records, renewal, warning
from supervisor.kit.texts import local_time
from supervisor.model.acme import FailureKind, OrderRefusal, RenewalInfo
from tests.core.certificates.samples import DAY, DESIRED, HOUR, NOW, asks, has, issued


@pytest.mark.parametrize(("lifetime", "share"), [(90, 2 / 3), (45, 2 / 3), (160 / 24, 1 / 2)])
def test_without_a_suggestion_it_is_a_share_of_the_lifetime(lifetime, share):
    moments = {
        renewal.due_at(issued(number, at=NOW, lifetime=lifetime * DAY), None)
        for number in range(50)
    }
    assert len(moments) == 50, "what was issued together is not renewed together"
    assert min(moments) >= NOW + lifetime * DAY * (share - 0.03)
    assert max(moments) <= NOW + lifetime * DAY * share


def test_a_moment_stays_while_its_window_stays():
    one = issued(at=NOW)
    info = RenewalInfo(start=NOW + 50 * DAY, end=NOW + 52 * DAY, explanation="https://x")
    chosen = renewal.answered(one, info, None, NOW)
    assert info.start <= chosen.at <= info.end
    assert chosen.ask_at == NOW + 6 * HOUR
    moved = replace(chosen, at=info.start + 1)
    again = renewal.answered(one, info, moved, NOW + DAY)
    assert (again.at, again.ask_at) == (info.start + 1, NOW + DAY + 6 * HOUR)
    assert renewal.unanswered(one, again, NOW + 2 * DAY).at == again.at
    assert renewal.answered(one, None, again, NOW + 2 * DAY).at == again.at
    other = RenewalInfo(start=NOW + 60 * DAY, end=NOW + 62 * DAY)
    assert other.start <= renewal.answered(one, other, again, NOW).at <= other.end


def test_a_window_in_the_past_is_now_and_none_is_no_window():
    one = issued(at=NOW)
    past = RenewalInfo(start=NOW - 2 * DAY, end=NOW - DAY)
    assert renewal.due_at(one, renewal.answered(one, past, None, NOW)) < NOW
    turned = RenewalInfo(start=NOW - DAY, end=NOW - 2 * DAY)
    assert renewal.answered(one, turned, None, NOW).at == renewal.by_lifetime(one)


def test_the_end_comes_before_what_the_issuer_suggests():
    one = issued(at=NOW)
    late = RenewalInfo(start=NOW + 200 * DAY, end=NOW + 201 * DAY)
    chosen = renewal.answered(one, late, None, NOW)
    assert renewal.due_at(one, chosen) == one.facts.not_after - one.facts.lifetime / 20


@pytest.mark.parametrize(("said", "asked"), [(0, 60), (-5, 60), (1e9, DAY), (HOUR, HOUR)])
def test_an_issuer_is_asked_again_when_it_says_within_reason(said, asked):
    info = RenewalInfo(start=NOW, end=NOW + 1, ask_again_seconds=said)
    assert renewal.answered(issued(), info, None, NOW).ask_at == NOW + asked


def test_who_can_be_asked_is_asked_when_it_is_time_or_the_clock_was_set_back():
    one = issued()
    assert renewal.ask_due(one, None, NOW)
    chosen = renewal.unanswered(one, None, NOW)
    assert not renewal.ask_due(one, chosen, NOW)
    assert renewal.ask_due(one, chosen, NOW + 6 * HOUR)
    assert renewal.ask_due(one, chosen, NOW - 30 * DAY)
    assert not renewal.ask_due(issued(standin=True), None, NOW)
    assert not renewal.ask_due(issued(terms=asks(issuer="internal").terms), None, NOW)


def test_what_keeps_failing_is_told_of_once_a_day_from_a_fifth_on():
    record = has(issued(at=NOW))
    refusal = OrderRefusal(kind=FailureKind.VALIDATION, message="port 80 is closed")
    assert warning.due("web", record, NOW + 89 * DAY) == ""
    record = records.failed(record, refusal, terms=DESIRED.terms, way="", now=NOW + 60 * DAY)
    assert warning.due("web", record, NOW + 71 * DAY) == ""
    assert warning.next_at(record) == NOW + 72 * DAY
    said = warning.due("web", record, NOW + 72 * DAY)
    assert said == (
        f"web expires {local_time(NOW + 90 * DAY)}, and cannot be renewed"
        f" (1 order failed, the first {local_time(NOW + 60 * DAY)}): port 80 is closed"
    )
    record = records.warned(record, NOW + 72 * DAY)
    assert warning.due("web", record, NOW + 72 * DAY + 1) == ""
    assert warning.next_at(record) == NOW + 73 * DAY
    record = records.failed(record, refusal, terms=DESIRED.terms, way="", now=NOW + 73 * DAY)
    assert "2 orders failed" in warning.due("web", record, NOW + 73 * DAY)
    assert "expired" in warning.due("web", record, NOW + 91 * DAY)
    ahead = records.warned(record, NOW + 300 * DAY)
    assert warning.due("web", ahead, NOW + 80 * DAY), "the clock was set back"
