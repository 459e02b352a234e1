import pytest

from linecook.observe.pulse import Wake
from linecook.observe.stretch import Look, Stretch


def stretch(late: float, held: float, loop_cpu: float | None, process_cpu: float, naps: int = 50) -> Stretch:
    """What one look says that was due 0.1 s after the last."""
    before, now = Look(10.0, 5.0, 50.0, 7), Look(10.1 + late, loop_cpu and 5.0 + loop_cpu, 50.0 + process_cpu, 7)
    return Stretch.between(before, now, Wake(now.at, late, naps, held, in_one_go=True))


def test_what_the_machine_took_is_no_part_of_a_step():
    assert stretch(late=5.0, held=0.0, loop_cpu=0.05, process_cpu=0.05, naps=0).seconds == pytest.approx(0.1)


def test_what_was_spent_waiting_for_the_interpreter_is():
    assert stretch(late=0.9, held=0.9, loop_cpu=0.9, process_cpu=0.9).seconds == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("loop_cpu", "process_cpu", "here"),
    [
        (0.9, 0.95, True),  # a C call of the loop's own
        (0.3, 0.31, True),  # the same, on a machine that gave the process a third of a processor
        (0.001, 0.004, True),  # asleep with the interpreter in its hand
        (0.001, 0.95, False),  # a C call of another thread
        (0.9, 2.8, True),  # two threads of hashlib beside
    ],
)
def test_who_held_the_interpreter_is_told_by_the_cpu_clocks(loop_cpu, process_cpu, here):
    assert stretch(0.9, 0.9, loop_cpu, process_cpu).was_held_here() is here


def test_a_loop_that_got_no_cpu_while_others_did_was_kept_waiting():
    assert stretch(0.9, 0.9, 0.02, 0.95).was_kept_by_others()
    assert not stretch(0.9, 0.9, 0.9, 0.95).was_kept_by_others()
    assert not stretch(0.9, 0.9, 0.0001, 0.001).was_kept_by_others()


def test_stretches_add_up():
    one = stretch(0.4, 0.4, 0.3, 0.35)
    both = one.plus(one)
    assert both.seconds == pytest.approx(2 * one.seconds)
    assert both.loop_cpu == pytest.approx(0.6)
    assert one.only_held().seconds == pytest.approx(0.4)
