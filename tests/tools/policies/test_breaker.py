"""A circuit opens after failures in a row, lets one call try, and closes when that is served."""

from linecook.tools.policies.breaker import Breaker


def opened() -> Breaker:
    breaker = Breaker(3)
    assert [breaker.failed(10.0, is_probe=False) for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(3)
    breaker.failed(0.0, is_probe=False)
    breaker.failed(0.0, is_probe=False)
    breaker.succeeded()
    breaker.failed(0.0, is_probe=False)
    breaker.failed(0.0, is_probe=False)
    assert breaker.refuses(0.0) is None
    assert breaker.failed(0.0, is_probe=False)
    assert breaker.refuses(0.0) == 1.0
    assert (breaker.state, breaker.opened) == ("open", 1)


def test_failures_of_calls_that_were_under_way_do_not_open_it_again() -> None:
    breaker = opened()
    assert not breaker.failed(10.1, is_probe=False)
    assert breaker.refuses(10.1) == 0.9000000000000004
    assert breaker.opened == 1


def test_one_call_tries_and_the_others_are_refused_meanwhile() -> None:
    breaker = opened()
    assert breaker.refuses(11.0) is None
    assert breaker.let_in()
    assert breaker.refuses(11.0) == 0.0
    assert breaker.state == "half open"
    breaker.succeeded()
    assert breaker.refuses(11.0) is None
    assert not breaker.let_in()


def test_a_try_that_fails_opens_it_for_twice_as_long_up_to_a_minute() -> None:
    breaker, now, waits = opened(), 10.0, []
    for _ in range(8):
        wait = breaker.refuses(now)
        assert wait is not None
        waits.append(round(wait))
        now += wait
        assert breaker.let_in()
        assert breaker.failed(now, is_probe=True)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_try_that_told_nothing_leaves_it_to_the_next_call() -> None:
    breaker = opened()
    assert breaker.let_in()
    breaker.left(is_probe=True)
    assert breaker.refuses(11.0) is None


def test_a_try_that_fails_after_others_were_served_does_not_open_it_again() -> None:
    breaker = opened()
    assert breaker.let_in()
    breaker.succeeded()  # a call that was in flight before it opened
    assert not breaker.failed(12.0, is_probe=True)
    assert breaker.is_closed
