import numpy as np
import pytest
from cases import make_panel

from foretide.data.counts import are_counts, buckets, density
from foretide.data.panel import Panel
from foretide.errors import ConfigError


def with_targets(values: np.ndarray, lengths: tuple[int, ...]) -> Panel:
    return make_panel(lengths, targets=values.shape[1]).with_values(values)


def test_counts_are_whole_and_not_negative_where_observed() -> None:
    nan = np.nan
    values = np.array(
        [[0, 0.5, -1, nan, 0, np.inf], [3, 1, 2, nan, 0, 1], [nan, 2, nan, nan, 0, 2], [7, 4, 1, nan, 0, 2.0]]
    )
    assert are_counts(with_targets(values, (4,))).tolist() == [True, False, False, False, True, False]
    # One entity that breaks the rule is enough; one without observations is not.
    two = np.array([[1.0, nan], [2.0, 3.0], [0.5, nan], [1.0, nan]])
    assert are_counts(with_targets(two, (2, 2))).tolist() == [False, True]


def test_density_is_the_share_above_zero_of_what_is_observed() -> None:
    nan = np.nan
    values = np.array([[0, 1.0], [2, nan], [nan, nan], [0, 0], [5, nan], [0, nan]])
    panel = with_targets(values, (4, 2))
    np.testing.assert_allclose(density(panel), [[1 / 3, 1 / 2], [1 / 2, 0.0]])
    np.testing.assert_allclose(density(panel.until(panel.grid.times([0])[0]))[:, 0], [0, 1])


def test_buckets_include_their_thresholds() -> None:
    rates = [[0.0, 0.005, 0.0051], [0.699, 0.7, 1.0]]
    expected = [["ultra", "ultra", "sparse"], ["sparse", "dense", "dense"]]
    assert buckets(rates).tolist() == expected
    assert buckets([0.0, 0.3, 0.4], dense=0.3, ultra=0.3).tolist() == ["ultra", "dense", "dense"]
    assert buckets([0.0, 0.9], dense=1, ultra=0).tolist() == ["ultra", "sparse"]
    assert buckets(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(("dense", "ultra"), [(0.1, 0.2), (1.1, 0.0), (0.5, -0.1), (float("nan"), 0.1)])
def test_wrong_thresholds_are_refused(dense: float, ultra: float) -> None:
    with pytest.raises(ConfigError, match=r"0 <= ultra <= dense <= 1; got dense=.* Try dense=0\.7"):
        buckets([0.5], dense, ultra)
