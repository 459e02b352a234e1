import pytest

from linecook._core.meter import LATEST, Meter, quantile


@pytest.mark.parametrize(("share", "within"), [(0, 1), (0.01, 1), (0.5, 5), (0.51, 6), (0.95, 10), (1, 10)])
def test_a_quantile_is_one_of_the_values(share, within):
    assert quantile([float(value) for value in range(1, 11)], share) == within


def test_of_one_every_quantile_is_that_one_and_of_none_nothing_is_known():
    assert [quantile([0.5], share) for share in (0, 0.5, 1)] == [0.5] * 3
    assert quantile([], 0.5) is None


def test_times_are_kept_while_they_are_wanted_and_no_more_than_the_latest():
    meter = Meter("fetch")
    assert meter.latest is None
    meter.listen(True)
    assert meter.latest is not None
    meter.latest.extend(range(LATEST + 5))
    meter.listen(True)  # a second reader loses nothing
    assert (len(meter.latest), meter.latest[0]) == (LATEST, 5)
    meter.listen(False)
    assert meter.latest is None
