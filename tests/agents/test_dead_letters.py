"""The latest dead letters are kept, a bounded number, and all are counted."""

from linecook.agents.dead_letters import KEPT, DeadLetter, DeadLetters


def test_the_oldest_go_and_all_are_counted() -> None:
    letters = DeadLetters()
    for number in range(KEPT + 5):
        letters.add(DeadLetter(number, "team/cook:0", "dropped", None, 0.0))
    assert [letter.body for letter in letters.latest()] == list(range(5, KEPT + 5))
    assert letters.count == KEPT + 5
