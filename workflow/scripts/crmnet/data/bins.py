"""Places a model's bins of expression by its training data. Needs numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def usual_range(sample: np.ndarray, lowest: float, highest: float) -> tuple[float, float]:
    """Returns the range of expressions without far outliers, which would leave few bins to the
    other values.

    It is the whole range, but reaches beyond the middle 98 % of the sample by at most half of their
    span.

    Args:
        sample: (n,), a random sample of the expressions.
        lowest, highest: the whole range.
    """
    outer = len(sample) // 100
    first, last = np.sort(sample)[[outer, -1 - outer]]
    beyond = (last - first) / 2
    return float(max(lowest, first - beyond)), float(min(highest, last + beyond))


def placed(bins: int, ranges: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Returns the centre of the first bin, and the width of all bins.

    The centres are 0, 1, ..., bins - 1, as in this assay, if these bins hold all ranges and the
    ranges take more than half of them. Otherwise the centres go from the lowest to the highest
    expression of the ranges. An expression outside counts to the first or last bin.

    Args:
        ranges: the `usual_range` of each medium that the model is trained on.
    """
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if low >= -0.5 and high <= bins - 0.5 and high - low > (bins - 1) / 2:
        return 0.0, 1.0
    return low, (high - low) / (bins - 1) or 1.0
