from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel

from foretide.errors import DataError
from foretide.forecasters.networks.distribution import check_counts, training_rates, unscaled_quantiles
from foretide.heads.table import resolve
from foretide.training.prepare import Preparation


def test_the_earliest_offence_is_named() -> None:
    panel = make_panel((30, 30), targets=2, first=(10, 0), whole=True)
    values = panel.values.copy()
    values[4, 0] = -1.0  # step 14 of the first series
    values[39, 0] = 0.5  # step 9 of the second
    values[45, 1] = np.nan
    found = resolve("nb", panel.targets)
    with pytest.raises(DataError, match=r"Target 'y0' of 'shop1/y0' is 0\.5 at 2023-01-11"):
        check_counts(panel.with_values(values), found)
    check_counts(panel, found)
    check_counts(panel.with_values(values), resolve({"nb": ["y1"], "point": ["y0"]}, panel.targets))


def test_rates_are_means_in_the_networks_units() -> None:
    panel = make_panel((30, 40, 20), targets=2, missing=0.2)
    values = panel.values.copy()
    values[:30, 1] = 0.0
    values[70:, 0] = np.nan
    panel = panel.with_values(values)
    made = Preparation.fit(panel, None, np.array([True, True]))
    got = training_rates(panel, made)
    rows = [slice(0, 30), slice(30, 70), slice(70, 90)]
    for i, d in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)]:
        column = values[rows[i], d]
        sd = np.nanstd(column) or 1.0
        assert got[i, d] == pytest.approx(np.nanmean(column) / sd, rel=1e-9)
    assert got[0, 1] == 0.0
    assert got[2, 0] == pytest.approx(got[:2, 0].mean())  # nothing is known of it: not zero


def test_quantiles_of_counts_are_whole_and_not_negative() -> None:
    panel = make_panel((40,), targets=2)
    made = Preparation.fit(panel, None, np.array([True, False]))
    scaled = np.array([[[[-0.3, 0.7], [-0.3, 0.7]]]])
    got = unscaled_quantiles(made, panel, np.array([0]), scaled, np.array([True, False]))
    assert got[0, 0, 0].tolist() == [0.0, np.rint(0.7 * made.scale[0, 0])]
    np.testing.assert_allclose(got[0, 0, 1], scaled[0, 0, 1] * made.scale[0, 1] + made.location[0, 1])
