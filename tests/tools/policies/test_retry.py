"""Another attempt only where it was asked for, does no harm and still fits; never for ever, never all at once."""

import asyncio
import datetime
import email.utils
from types import SimpleNamespace
from typing import Any

import pytest

from linecook import Limit, Retry, Runtime, agent, call_key, fail_after, gather, settle, tool
from linecook.errors import AlreadyRun, CallCancelled, NestedTool, TimedOutError, UsageError
from linecook.testing import VirtualClock
from linecook.tools.policies.retry import retry_after


class Busy(Exception):
    """What a server says; perhaps when to come back."""

    def __init__(self, retry_after: Any = None) -> None:
        super().__init__("busy")
        self.retry_after = retry_after


class Server:
    """Fails so many times, then serves; remembers when it was asked and with which key."""

    def __init__(self, failures: int, error: BaseException | None = None) -> None:
        self.failures = failures
        self.error = error or Busy()
        self.asked: list[float] = []
        self.keys: list[str] = []

    def ask(self) -> str:
        self.asked.append(asyncio.get_running_loop().time())
        self.keys.append(call_key())
        if len(self.asked) <= self.failures:
            raise self.error
        return f"served at attempt {len(self.asked)}"


def fetch_with(retry: Retry, **options: Any) -> Any:
    @tool(retry=retry, effect="read", **options)
    async def fetch(server: Server) -> str:
        return server.ask()

    return fetch


async def test_a_failure_that_is_wanted_is_tried_again(clock: VirtualClock) -> None:
    server = Server(2)
    call = fetch_with(Retry(on=Busy))(server)
    assert await call == "served at attempt 3"
    assert call.times.attempts == 3
    assert call.times.queued >= 0.1


async def test_the_last_failure_is_raised_itself_when_attempts_are_used_up(clock: VirtualClock) -> None:
    server = Server(99)
    with pytest.raises(Busy) as caught:
        await fetch_with(Retry(on=Busy, attempts=4))(server)
    assert len(server.asked) == 4
    assert caught.value.__notes__[-1].endswith("attempt 4")


async def test_other_failures_are_raised_at_once(clock: VirtualClock) -> None:
    server = Server(1, KeyError("k"))
    with pytest.raises(KeyError):
        await fetch_with(Retry(on=(Busy, OSError)))(server)
    assert len(server.asked) == 1


async def test_a_function_may_decide(clock: VirtualClock) -> None:
    server = Server(1, KeyError("again"))
    assert await fetch_with(Retry(on=lambda error: "again" in str(error)))(server) == "served at attempt 2"
    server = Server(1, KeyError("never"))
    with pytest.raises(KeyError):
        await fetch_with(Retry(on=lambda error: "again" in str(error)))(server)


@pytest.mark.parametrize("error", [UsageError("u"), NestedTool("n"), AlreadyRun("a")], ids=repr)
async def test_errors_in_the_programs_text_are_never_tried_again(clock: VirtualClock, error: Exception) -> None:
    server = Server(1, error)
    with pytest.raises(UsageError):
        await fetch_with(Retry(on=Exception))(server)
    assert len(server.asked) == 1


async def test_waits_double_up_to_a_bound(clock: VirtualClock) -> None:
    server = Server(99)
    with pytest.raises(Busy):
        await fetch_with(Retry(on=Busy, attempts=6, wait=1, max_wait=5, jitter=False))(server)
    waits = [after - before for before, after in zip(server.asked, server.asked[1:], strict=False)]
    assert waits == pytest.approx([1, 2, 4, 5, 5], abs=0.05)


def test_jitter_draws_between_half_and_the_whole() -> None:
    retry = Retry(on=Busy, wait=1, max_wait=100)
    waits = [retry.delay(3, Busy()) for _ in range(300)]
    assert 2 <= min(waits) < 2.5
    assert 3.5 < max(waits) <= 4
    assert Retry(on=Busy, max_wait=7, jitter=False).delay(100_000, Busy()) == 7


async def test_the_server_says_when_to_come_back(clock: VirtualClock) -> None:
    server = Server(1, Busy(30))
    assert await fetch_with(Retry(on=Busy, max_wait=1))(server) == "served at attempt 2"
    assert server.asked[1] - server.asked[0] == pytest.approx(30, abs=0.1)


def in_seconds(seconds: float) -> str:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return email.utils.format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (3, 3), ("2.5", 2.5), (" 4 ", 4), (0, 0), ("0", 0),
        (-1, None), ("soon", None), (float("nan"), None), (float("inf"), None), ("-3", None), (None, None), ([], None),
        ("Wed, 99 Foo 2026 99:99:99 GMT", None), (True, None),
    ],
)  # fmt: skip
def test_what_retry_after_means(told: Any, seconds: float | None) -> None:
    assert retry_after(Busy(told)) == seconds


def test_retry_after_may_be_a_date() -> None:
    seconds = retry_after(Busy(in_seconds(100)))
    assert seconds is not None
    assert 90 < seconds <= 100
    assert retry_after(Busy(in_seconds(-100))) == 0
    assert retry_after(Busy(in_seconds(100).replace("GMT", ""))) in (None, pytest.approx(99, abs=10))


def test_retry_after_is_found_in_headers_of_the_error_or_its_response() -> None:
    import email.message

    message = email.message.Message()
    message["retry-after"] = "7"
    for headers in ({"Retry-After": "7"}, {"retry-after": "7"}, message):
        error: Any = RuntimeError()
        error.headers = headers
        assert retry_after(error) == 7
        error = RuntimeError()
        error.response = SimpleNamespace(headers=headers)
        assert retry_after(error) == 7
    error = RuntimeError()
    error.headers = None
    error.response = "nonsense"
    assert retry_after(error) is None


async def test_a_wait_beyond_the_total_time_is_not_begun(clock: VirtualClock) -> None:
    server = Server(1, Busy(3600))
    with pytest.raises(Busy) as caught:
        await fetch_with(Retry(on=Busy, timeout=60))(server)
    assert clock.time() < 1
    assert "not tried again: the next attempt would begin in 3.6e+03 s, which is too late" in caught.value.__notes__


async def test_a_wait_beyond_the_deadline_is_not_begun(clock: VirtualClock) -> None:
    for fetch in (fetch_with(Retry(on=Busy), timeout=10), fetch_with(Retry(on=Busy))):
        with pytest.raises(Busy):
            with fail_after(10):
                await fetch(Server(1, Busy(30)))
    assert clock.time() < 1


async def test_the_total_time_bounds_the_attempts(clock: VirtualClock) -> None:
    server = Server(10_000)
    with pytest.raises(Busy):
        await fetch_with(Retry(on=Busy, attempts=10_000, wait=1, max_wait=1, timeout=20, jitter=False))(server)
    assert len(server.asked) <= 21
    assert clock.time() <= 20.5


async def test_an_attempt_that_took_too_long_may_be_tried_again(clock: VirtualClock) -> None:
    attempts: list[int] = []

    @tool(retry=Retry(on=TimedOutError, attempts=3), attempt_timeout=1, effect="read")
    async def flaky() -> int:
        attempts.append(1)
        await asyncio.sleep(100 if len(attempts) < 3 else 0)
        return len(attempts)

    call: Any = flaky()
    assert await call == 3
    assert call.times.attempts == 3

    @tool(retry=Retry(on=TimedOutError, attempts=2), attempt_timeout=1, effect="read")
    async def hopeless() -> None:
        await asyncio.sleep(100)

    with pytest.raises(TimedOutError, match="attempt 2 of 2") as caught:
        await hopeless()
    assert caught.value.attempt == 2


async def test_an_attempt_on_a_thread_that_took_too_long_is_tried_again() -> None:
    import threading

    event, attempts = threading.Event(), []

    @tool(retry=Retry(on=TimedOutError, wait=0.01), attempt_timeout=0.05, effect="read")
    def flaky() -> int:
        attempts.append(call_key())
        if len(attempts) == 1:
            event.wait(20)
        return len(attempts)

    async with Runtime(stall=None) as runtime:
        assert await flaky() == 2
        assert runtime.statistics()["thread"]["abandoned"] == 1
        event.set()
    assert len(set(attempts)) == 1


async def test_the_deadline_of_the_whole_call_is_never_tried_again(clock: VirtualClock) -> None:
    attempts: list[int] = []

    @tool(retry=Retry(on=TimedOutError, attempts=5), timeout=2, effect="read")
    async def slow() -> None:
        attempts.append(1)
        await asyncio.sleep(100)

    with pytest.raises(TimedOutError):
        await slow()
    assert len(attempts) == 1
    with pytest.raises(TimedOutError):
        with fail_after(1):
            await slow()
    assert len(attempts) == 2


async def test_the_back_off_ends_with_a_cancel(clock: VirtualClock) -> None:
    server = Server(99)
    task = asyncio.create_task(fetch_with(Retry(on=Exception, wait=50, max_wait=50))(server))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(server.asked) == 1


async def test_a_call_that_was_cancelled_is_not_made_again() -> None:
    assert not Retry(on=Exception).wants(CallCancelled("fetch() was cancelled from outside (operator)"))


async def test_no_place_of_a_limit_is_held_during_the_back_off(clock: VirtualClock) -> None:
    fetch = fetch_with(Retry(on=Busy, wait=50, max_wait=50), limit=1)
    waiting = asyncio.create_task(fetch(Server(1)))
    await asyncio.sleep(1)
    assert await fetch(Server(0)) == "served at attempt 1"
    assert clock.time() < 2
    assert await waiting == "served at attempt 2"


async def test_all_attempts_of_one_call_have_one_key_and_other_calls_another(clock: VirtualClock) -> None:
    fetch = fetch_with(Retry(on=Busy))
    first, second = Server(2), Server(1)
    await fetch(first)
    await fetch(second)
    assert len(set(first.keys)) == len(set(second.keys)) == 1
    assert first.keys[0] != second.keys[0]
    call = fetch(Server(0))
    await call
    again = call.again()
    assert again.key() != call.key()
    again.close()


async def test_a_keyed_effect_may_be_repeated() -> None:
    @tool(effect="keyed", retry=Retry(on=Busy, wait=0.001))
    async def pay(server: Server) -> str:
        return server.ask()

    assert await pay(Server(1)) == "served at attempt 2"


async def test_the_retries_of_a_failed_call_show_in_its_outcome(clock: VirtualClock) -> None:
    (outcome,) = await settle([fetch_with(Retry(on=Busy))(Server(9))])
    assert outcome.times.attempts == 3


async def test_an_error_object_that_is_raised_by_every_attempt_has_one_note(clock: VirtualClock) -> None:
    only = Busy()

    @agent
    async def asks() -> None:
        await fetch_with(Retry(on=Busy, attempts=5))(Server(99, only))

    with pytest.raises(Busy):
        await asks()
    assert len(only.__notes__) == 3
    assert only.__notes__[0].startswith("earlier attempts: Busy, then ")
    assert only.__notes__[0].count("Busy") == 4
    assert only.__notes__[1].endswith("attempt 5")


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"on": "OSError"}, UsageError, "Retry's on must be exception types or a function"),
        ({"on": ()}, UsageError, "Retry's on must be"),
        ({"on": int}, UsageError, "Retry's on must be"),
        ({"on": (OSError, 3)}, UsageError, "Retry's on must be"),
        ({"on": OSError, "attempts": 0}, ValueError, "attempts must be a whole number of 1 or more, not 0"),
        ({"on": OSError, "attempts": True}, ValueError, "attempts must be a whole number"),
        ({"on": OSError, "attempts": None}, ValueError, "attempts must be a whole number"),
        ({"on": OSError, "wait": -1}, ValueError, "Retry's wait must be 0 or more"),
        ({"on": OSError, "wait": None}, ValueError, "Retry's wait must be a number of seconds"),
        ({"on": OSError, "max_wait": None}, ValueError, "Retry's max_wait must be a number of seconds"),
        ({"on": OSError, "max_wait": float("nan")}, ValueError, "Retry's max_wait"),
        ({"on": OSError, "timeout": -1}, ValueError, "Retry's timeout"),
    ],
)
def test_a_retry_that_makes_no_sense_is_refused(arguments: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        Retry(**arguments)


def test_there_is_no_default_for_what_to_retry() -> None:
    with pytest.raises(TypeError, match="on"):
        Retry()  # type: ignore[call-arg]


# -- with a limit ---------------------------------------------------------------------------------------------------


async def test_each_attempt_is_admitted_and_waits_hold_no_place(clock: VirtualClock) -> None:
    began: list[tuple[float, int]] = []

    @tool(limit=1, retry=Retry(on=Busy, wait=5, max_wait=5, jitter=False), effect="read")
    async def fetch(number: int) -> int:
        began.append((round(asyncio.get_running_loop().time()), number))
        await asyncio.sleep(1)
        if began.count((0, 0)) and len(began) == 1:
            raise Busy
        return number

    assert await gather([fetch(n) for n in range(3)]) == [0, 1, 2]
    assert began == [(0, 0), (1, 1), (2, 2), (6, 0)]  # the others ran while the first one waited for its second attempt


async def test_another_attempt_goes_ahead_of_calls_that_have_not_begun(clock: VirtualClock) -> None:
    order: list[int] = []

    @tool(limit=1, retry=Retry(on=Busy, wait=1.5, jitter=False), effect="read")
    async def fetch(number: int) -> None:
        order.append(number)
        await asyncio.sleep(1)
        if order == [0]:
            raise Busy

    await gather([fetch(n) for n in range(6)])
    assert order == [0, 1, 2, 0, 3, 4, 5]


async def test_while_everything_fails_retries_add_a_tenth_to_the_load(clock: VirtualClock) -> None:
    asked = 0

    @tool(limit=50, retry=Retry(on=Busy, attempts=5, wait=0.1), effect="read")
    async def fetch(number: int) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.1)
        raise Busy

    outcomes = await settle([fetch(n) for n in range(500)])
    assert 500 + 50 <= asked <= 500 + 60 + clock.time()
    said = {note for one in outcomes.failures for note in one.error.__notes__ if "not tried again" in note}
    (why,) = said
    assert why.startswith("not tried again: retries of Limit(50, name='fetch') have used up their budget of 10% of its")


async def test_who_is_told_when_to_come_back_costs_no_retry_budget(clock: VirtualClock) -> None:
    asked = 0

    @tool(limit=Limit(50, retries=0.0), retry=Retry(on=Busy, attempts=5), effect="read")
    async def fetch(number: int) -> int:
        nonlocal asked
        asked += 1
        if asked <= 50:
            raise Busy(3)
        return number

    assert await gather([fetch(n) for n in range(200)]) == list(range(200))
    assert asked == 250


async def test_without_a_share_retries_are_what_retry_says(clock: VirtualClock) -> None:
    asked = 0

    @tool(limit=Limit(50, retries=None), retry=Retry(on=Busy, attempts=3), effect="read")
    async def fetch(number: int) -> None:
        nonlocal asked
        asked += 1
        raise Busy

    await settle([fetch(n) for n in range(100)])
    assert asked == 300


async def test_the_failure_that_is_raised_tells_of_the_attempts_and_waits_before(clock: VirtualClock) -> None:
    errors: list[Exception] = [Busy(2), ConnectionResetError(), Busy(), KeyError("last")]

    @tool(limit=5, retry=Retry(on=(Busy, OSError), attempts=9, wait=1, jitter=False), effect="read")
    async def fetch() -> None:
        await asyncio.sleep(0.5)
        raise errors.pop(0)

    call = fetch.call()
    with pytest.raises(KeyError) as caught:
        await call
    told = caught.value.__notes__[0]
    assert told == "earlier attempts: Busy, then 2 s; ConnectionResetError, then 2 s; Busy, then 4 s"
    assert (call.times.attempts, round(call.times.queued)) == (4, 8)


async def test_of_many_attempts_the_last_ones_are_told(clock: VirtualClock) -> None:
    with pytest.raises(Busy) as caught:
        await fetch_with(Retry(on=Busy, attempts=12, wait=0.001, jitter=False))(Server(99))
    assert caught.value.__notes__[0].startswith("earlier attempts: 6 more; Busy, then 0.064 s; ")
