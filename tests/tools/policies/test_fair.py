"""Who is next: by priority with ageing, and within one priority fairly between tenants, by weight."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from linecook._core.context import PRIORITIES
from linecook.tools.policies.fair import FairQueue

left: set[object] = set()


def queue_of(*entries: tuple[str, str], **weights: float) -> FairQueue[tuple[str, str]]:
    queue: FairQueue[tuple[str, str]] = FairQueue(lambda item: item in left)
    for tenant, item in entries:
        queue.put((tenant, item), "normal", tenant, weights.get(tenant, 1.0))
    return queue


def served(queue: FairQueue[tuple[str, str]], most: int = 10**6) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    while len(items) < most and (item := queue.take()) is not None:
        items.append(item)
    return items


def test_one_tenant_is_served_first_come_first_served() -> None:
    entries = [("", str(n)) for n in range(50)]
    assert served(queue_of(*entries)) == entries


def test_a_tenant_with_many_calls_takes_turns_with_one_that_has_few() -> None:
    queue = queue_of(*(("big", str(n)) for n in range(1000)), *(("small", str(n)) for n in range(5)))
    first = served(queue, 11)
    assert Counter(tenant for tenant, _ in first) == {"big": 6, "small": 5}


def test_weights_share_in_proportion() -> None:
    queue = queue_of(*((tenant, str(n)) for n in range(300) for tenant in ("a", "b")), a=3.0)
    counts = Counter(tenant for tenant, _ in served(queue, 200))
    assert 148 <= counts["a"] <= 152


def test_costs_count_rather_than_calls() -> None:
    queue: FairQueue[str] = FairQueue(lambda _: False)
    for _ in range(100):
        queue.put("dear", tenant="dear", cost=10.0)
        queue.put("cheap", tenant="cheap", cost=1.0)
    counts = Counter(queue.take() for _ in range(55))
    assert 4 <= counts["dear"] <= 6


def test_a_tenant_that_was_idle_has_saved_nothing_and_owes_nothing() -> None:
    queue = queue_of(*(("busy", str(n)) for n in range(100)))
    served(queue, 50)
    for n in range(100):
        queue.put(("late", str(n)), tenant="late")
    counts = Counter(tenant for tenant, _ in served(queue, 20))
    assert abs(counts["busy"] - counts["late"]) <= 1


def test_a_stream_of_new_tenants_does_not_starve_one_that_waits() -> None:
    queue = queue_of(*(("patient", str(n)) for n in range(20)))
    for n in range(200):
        queue.put((f"new {n}", ""), tenant=f"new {n}")
    counts: Counter[str] = Counter()
    for n in range(1000):
        queue.put((f"newer {n}", ""), tenant=f"newer {n}")
        taken = queue.take()
        assert taken is not None
        counts[taken[0].split()[0]] += 1
    assert counts["patient"] >= 4


def test_those_that_left_cost_their_tenant_nothing() -> None:
    queue = queue_of(*(("a", str(n)) for n in range(100)), *(("b", str(n)) for n in range(10)))
    left.update(("a", str(n)) for n in range(90))
    try:
        queue.sweep()
        assert len(queue) == 20
        counts = Counter(tenant for tenant, _ in served(queue, 10))
        assert counts == {"a": 5, "b": 5}
    finally:
        left.clear()


def test_the_head_of_the_line_is_for_those_who_had_their_turn() -> None:
    queue = queue_of(("", "1"), ("", "2"))
    queue.put(("", "again"), at_head=True)
    assert [item for _, item in served(queue)] == ["again", "1", "2"]


def test_the_urgent_go_first_and_every_sixteenth_place_is_for_who_waited() -> None:
    queue: FairQueue[str] = FairQueue(lambda _: False)
    for _ in range(3):
        queue.put("batch", "batch")
    for _ in range(3):
        queue.put("normal", "normal")
    for _ in range(100):
        queue.put("chat", "interactive")
    order = [queue.take() for _ in range(106)]
    assert order[:15] == ["chat"] * 15
    # Every 16th, in turns: lowest first.
    assert [place for place, item in enumerate(order) if item == "batch"][:2] == [15, 63]
    assert [place for place, item in enumerate(order) if item == "normal"][:2] == [31, 79]


def test_what_peek_shows_is_what_take_serves() -> None:
    queue: FairQueue[int] = FairQueue(lambda _: False)
    for n in range(60):
        queue.put(n, ("interactive", "normal", "batch")[n % 3], str(n % 7))  # type: ignore[arg-type]
    while (shown := queue.peek()) is not None:
        assert queue.peek() == shown == queue.take()
    assert queue.take() is None


def test_how_many_are_kept_is_known_without_counting() -> None:
    queue = FairQueue[int](lambda item: item % 3 == 0)
    for n in range(300):
        queue.put(n, PRIORITIES[n % 2], f"t{n % 50}")
    assert len(queue) == 300
    for _ in range(30):
        queue.take()
    assert len(queue) >= len(list(queue)) == 170
    queue.sweep()
    assert len(queue) == 170
    while queue.take() is not None:
        pass
    assert len(queue) == 0


def test_a_hundred_thousand_tenants_that_came_and_went_are_forgotten() -> None:
    queue: FairQueue[int] = FairQueue(lambda _: False)
    queue.put(-1, tenant="stays", cost=1e12)
    for n in range(100_000):
        queue.put(n, "normal", f"tenant {n}")
        assert queue.take() is not None
    (normal,) = [one for name, one in queue._classes.items() if name == "normal"]
    assert len(normal._lines) < 1000


@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.sampled_from("abc"), st.sampled_from(["interactive", "normal", "batch"]))),
        max_size=80,
    )
)
def test_nobody_is_lost_and_each_tenant_keeps_its_order(steps: list[tuple[str, str] | None]) -> None:
    queue: FairQueue[tuple[str, str, int]] = FairQueue(lambda _: False)
    put, taken = [], []
    for number, step in enumerate(steps):
        if step is None:
            item = queue.take()
            assert (item is None) == (len(put) == len(taken))
            taken += [item] if item else []
        else:
            put.append((*step, number))
            queue.put((*step, number), step[1], step[0])  # type: ignore[arg-type]
    while (item := queue.take()) is not None:
        taken.append(item)
    assert sorted(taken) == sorted(put)
    for tenant in "abc":
        for name in ("interactive", "normal", "batch"):
            numbers = [number for who, priority, number in taken if (who, priority) == (tenant, name)]
            assert numbers == sorted(numbers)
