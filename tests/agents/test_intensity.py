"""More restarts in a period than allowed are too many; old ones don't count."""

from linecook.agents.intensity import Intensity


def test_one_more_than_the_most_in_the_period_is_too_many() -> None:
    intensity = Intensity(2, 5.0)
    assert [intensity.allows(now) for now in (0.0, 1.0, 2.0)] == [True, True, False]


def test_those_before_the_period_do_not_count() -> None:
    intensity = Intensity(2, 5.0)
    assert all(intensity.allows(now) for now in (0.0, 1.0, 5.0, 6.0, 10.0))
    assert intensity.total == 5


def test_none_is_never_too_many() -> None:
    intensity = Intensity(None, 5.0)
    assert all(intensity.allows(0.0) for _ in range(1000))


def test_it_says_what_it_allows() -> None:
    assert str(Intensity(2, 5.0)) == "2 restarts in 5 s"
