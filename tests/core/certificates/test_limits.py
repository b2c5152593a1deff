"""Issuers' limits: what counts, and until when."""

import pytest

from supervisor.core.certificates import limits, records
from supervisor.core.certificates.limits import LETS_ENCRYPT, allowed_at
from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import Counted
from tests.core.certificates.samples import DAY, HOUR, NOW, asks, has, issued


def terms(*names, issuer="letsencrypt"):
    return asks(domains=names, issuer=issuer).terms


def counted(*names, at=NOW - DAY, issuer="letsencrypt", repeats=False):
    return Counted(at=at, issuer=issuer, names=names, repeats=repeats)


def many(number, domain, **more):
    return [has(orders=(counted(f"h{n}.{domain}", **more),)) for n in range(number)]


def wait(asked, kept, **more):
    return allowed_at(asked, kept, LETS_ENCRYPT, NOW, **more)


APEX = has(orders=(counted("example.org", at=NOW - 2 * DAY),))


def test_certificates_of_a_registered_domain_are_counted_together():
    asked = terms("new.example.org", "other.test")
    at, why = wait(asked, [APEX, *many(49, "example.org")])
    assert at == NOW + 5 * DAY
    assert why == "letsencrypt issues 50 in a week for example.org and names below it"
    assert wait(asked, [APEX, *many(48, "example.org")]) == (NOW, "")
    assert wait(terms("new.example.net"), [APEX, *many(60, "example.org")]) == (NOW, "")


def test_a_wildcard_shows_a_registered_domain_too():
    apex = has(current=issued(terms=terms("*.example.org"), at=NOW - 20 * DAY))
    assert wait(terms("new.example.org"), [apex, *many(60, "example.org")])[0] > NOW


@pytest.mark.parametrize("suffix", ["duckdns.org", "co.uk", "example.org"])
def test_where_it_is_not_certain_the_issuer_says_it(suffix):
    """What has no name of two labels may be below a public suffix, of many people."""
    assert wait(terms(f"new.{suffix}"), many(60, suffix)) == (NOW, "")


def test_who_had_one_for_the_same_names_or_renews_one_is_not_counted():
    asked, others = terms("www.example.org"), [APEX, *many(60, "example.org")]
    assert wait(asked, others)[0] > NOW
    assert wait(asked, others, renews=True) == (NOW, "")
    had = has(current=issued(terms=asked, at=NOW - 60 * DAY))
    assert wait(asked, [had, *others]) == (NOW, "")
    assert wait(asked, [APEX, *many(60, "example.org", repeats=True)]) == (NOW, "")
    first = records.counted(has(), asked, NOW)
    second = records.counted(first, asked, NOW)
    assert [one.repeats for one in second.orders] == [False, True]


def test_addresses_are_counted_by_themselves_and_by_their_networks():
    lan = [has(orders=(counted("192.0.2.1", f"h{n}.test"),)) for n in range(50)]
    assert wait(terms("192.0.2.1"), lan)[0] > NOW
    assert wait(terms("192.0.2.2"), lan)[0] == NOW
    lan = [has(orders=(counted(f"2001:db8::{n}"),)) for n in range(1, 51)]
    assert wait(terms("2001:db8::ffff"), lan)[0] > NOW
    assert wait(terms("2001:db8:1::ffff"), lan)[0] == NOW


def test_orders_of_an_account_are_counted_also_those_that_failed():
    kept = [has(orders=(counted(f"h{n}.test", at=NOW - HOUR),)) for n in range(200)]
    kept += [has(failed_validations=(counted(f"f{n}.test", at=NOW - 2 * HOUR),)) for n in range(99)]
    asked = terms("new.test")
    assert wait(asked, kept) == (NOW, "")
    kept.append(has(failed_validations=(counted("x.test", at=NOW - 2.5 * HOUR),)))
    at, why = wait(asked, kept)
    assert (at, why) == (NOW + HOUR / 2, "letsencrypt takes 300 orders in 3 hours")
    assert wait(asked, kept, renews=True) == (NOW, "")


def test_a_name_that_cannot_be_validated_counts_for_all_that_have_it():
    no = OrderRefusal(kind=FailureKind.VALIDATION, message="no")
    kept = has()
    for at in range(5):
        asked = terms("*.example.org", f"h{at}.test")
        kept = records.failed(kept, no, terms=asked, way="", now=NOW - 60 + at)
    for name in ("example.org", "*.example.org", "h3.test"):
        failing = wait(terms(name, "b.test"), [kept], renews=True)[0]
        assert (failing > NOW) == (name != "h3.test"), name


def test_one_issuer_by_two_names_has_its_limits_once():
    kept = [has(orders=(counted("web.test", at=NOW - n * HOUR, issuer="le"),)) for n in range(5)]
    assert wait(terms("web.test"), kept) == (NOW, "")
    assert wait(terms("web.test"), kept, alike=["letsencrypt", "le"])[0] > NOW


def test_what_waits_longest_is_the_reason():
    kept = [has(orders=tuple(counted("web.test", at=NOW - n * HOUR) for n in range(5)))]
    failed = tuple(counted("web.test", at=NOW - n) for n in range(5))
    _, why = wait(terms("web.test"), [*kept, has(failed_validations=failed)])
    assert "for the same names" in why


def test_the_staging_issuer_has_limits_of_its_own():
    directory = "https://acme-staging-v02.api.letsencrypt.org/directory"
    known = limits.limits_of("letsencrypt-staging", directory)
    assert (known.certificates, known.of_domain) == (0, 0)
    assert known.failed_validations > LETS_ENCRYPT.failed_validations
    assert known.orders > LETS_ENCRYPT.orders
