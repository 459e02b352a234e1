"""What was not handled is kept where somebody can look: the latest, a bounded number, and all are counted."""

from linecook import team

from .menu import Order, cook


async def test_the_oldest_dead_letters_go_and_all_are_counted() -> None:
    async with team(grace=0) as kitchen:
        ref = kitchen.start(cook(), capacity=2, when_full="drop_oldest")
        for number in range(1010):
            ref.tell_nowait(Order(str(number)))
        assert [letter.body.name for letter in kitchen.dead_letters] == [str(number) for number in range(8, 1008)]
        assert kitchen.statistics()["dead_letters"] == 1008
        assert kitchen.dead_letters[0].why == "dropped for a newer message"
