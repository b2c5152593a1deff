from supervisor.kit.rates import SeenSet, Throttle, TokenBuckets


def test_so_many_a_minute_and_all_of_them_at_once():
    rates = TokenBuckets(per_minute=3)
    for _ in range(3):
        assert rates.left("a", now=0) >= 1
        rates.take("a", now=0)
    assert rates.left("a", now=0) < 1
    assert rates.left("b", now=0) == 3
    assert rates.left("a", now=19) < 1 <= rates.left("a", now=21)
    assert rates.left("a", now=10_000) == 3


def test_tables_cannot_grow():
    rates, seldom, recent = (
        TokenBuckets(per_minute=1, most_keys=9),
        Throttle(seconds=9),
        SeenSet(most=9),
    )
    for number in range(10_000):
        rates.take(str(number), now=number)
        seldom.passes(str(number), now=0)
        recent.saw(b"%d" % number)
    assert len(rates._left) == 9
    assert len(seldom._last) == 256
    assert len(recent._seen) == 9
    assert recent.has(b"9999")
    assert not recent.has(b"1")


def test_once_in_a_while():
    seldom = Throttle(seconds=60)
    assert [seldom.passes("a", now=now) for now in (0, 1, 59, 60, 61)] == [1, 0, 0, 1, 0]
    assert seldom.passes("b", now=1)
