"""Where the bins of expression lie, for data on any scale."""

import numpy as np
import pytest

from crmnet.data.bins import placed, usual_range


def bins_of(values, bins=18):
    return placed(bins, [usual_range(np.asarray(values), np.min(values), np.max(values))])


@pytest.mark.parametrize(
    "values",
    [np.arange(18), np.linspace(0.6, 17, 5000), np.linspace(1.5, 16.7, 5000), [4, 13.2]],
    ids=["whole", "averaged", "narrower", "few"],
)
def test_the_bins_of_this_assay_are_whole_numbers(values):
    assert bins_of(values) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high"), [(-2.2, 2.1), (0, 1), (3, 11), (0, 21000), (-0.6, 17), (0, 17.6)]
)
def test_the_bins_of_another_scale_reach_from_the_lowest_to_the_highest_value(low, high):
    first, width = bins_of(np.linspace(low, high, 1000))
    assert first == pytest.approx(low) and first + 17 * width == pytest.approx(high)


def test_a_far_outlier_takes_few_bins():
    values = np.r_[np.random.default_rng(1).normal(0, 1, 5000), -60, 1e6]
    first, width = bins_of(values)
    last = first + 17 * width
    assert -6 < first < -3 and 3 < last < 6
    # Without the outliers, the bins reach as far as the values.
    first, width = bins_of(values[:-2])
    assert first == values[:-2].min() and first + 17 * width == pytest.approx(values[:-2].max())


def test_the_bins_hold_all_media():
    assert placed(18, [(0, 1), (-3, 0.5)]) == (-3, 4 / 17)
    assert placed(18, [(1, 12), (8, 17)]) == (0, 1)


def test_equal_values_have_bins_of_some_width():
    assert bins_of([3.0, 3.0]) == (3.0, 1.0)
