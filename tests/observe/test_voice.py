import logging

from linecook.observe.voice import Voice


def said(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "linecook"]


def test_one_place_is_spoken_of_once_a_second_and_nothing_is_lost(caplog):
    voice = Voice(interval=60)
    for number in range(4):
        voice.say("here", lambda number=number: f"stall {number}")
    voice.say("there", lambda: "another")
    assert said(caplog) == ["stall 0", "another"]
    voice.flush()
    assert len(said(caplog)) == 2  # the second isn't over
    voice.flush(all_of_it=True)
    assert said(caplog)[2:] == ["stall 3 (and 2 more like it in the last second)"]


def test_a_place_is_spoken_of_again_when_the_second_is_over(caplog):
    voice = Voice(interval=0)
    voice.say("here", lambda: "first")
    voice.say("here", lambda: "second")
    assert said(caplog) == ["first", "second"]


def test_places_are_forgotten():
    voice = Voice(interval=0)
    for number in range(100):
        voice.say(number, lambda: "once")
    voice.flush()
    assert voice._last == {}


def test_no_handler_is_installed():
    assert logging.getLogger("linecook").handlers == []
