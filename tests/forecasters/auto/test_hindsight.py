"""What a blend learns how errors go together from: its quick members, or the held-back origins."""

from __future__ import annotations

import numpy as np
import pytest
from cases import make_panel

import foretide as ft
from foretide.forecasters.auto.hindsight import held_back, quick_part
from foretide.forecasters.intervals.past import PastForecasts
from foretide.forecasters.paths.errors import LEVELS
from foretide.forecasters.simple.baselines import Persistence

H = 5


class OneByOne(Persistence):
    """Goes through windows one after the other, as it says."""

    one_by_one = True
    baseline = False


def test_slow_members_are_not_asked_for_the_past() -> None:
    panel = make_panel((120, 100, 90))
    model = ft.Auto(H, ["SeasonalES", OneByOne(H)], season=7).fit(panel)
    model.members = [
        ft.WithIntervals(one(H)).fit(panel, intervals=False) for one in (ft.SeasonalES, OneByOne, ft.Drift)
    ]
    model.shares_ = np.array([0.3, 0.5, 0.2])
    part = quick_part(model)
    assert part is not None
    assert [member.name for member in part.members] == ["SeasonalES", "Drift"]
    np.testing.assert_allclose(part.shares_, [0.6, 0.4])
    assert len(model.members) == 3


def test_where_all_are_slow_the_held_back_forecasts_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, found = make_panel((120, 100, 90)), []
    kept = ft.Auto._hindsight
    monkeypatch.setattr(ft.Auto, "_hindsight", lambda self, part: found.append(kept(self, part)) or found[-1])
    model = ft.Auto(H, [OneByOne(H)], season=7).fit(panel)
    trial = model.trials_["Auto"]
    (past,) = found
    assert isinstance(past, PastForecasts)
    assert past.quantiles is not None
    assert past.quantiles.shape == (len(trial.windows), H, 1, len(LEVELS))
    assert (np.diff(past.quantiles, axis=-1) >= 0).all()
    np.testing.assert_array_equal(past.errors.truth, trial.truth())
    paths = model.predict(panel).sample(n=400, seed=0)
    # The last value is off by the same noise at every step.
    assert np.corrcoef(paths[0, :, 0, 0], paths[0, :, 1, 0])[0, 1] > 0.2


def test_series_keep_their_places() -> None:
    panel = make_panel((120, 4, 100))  # the second one is too short to be judged on
    model = ft.Auto(H, ["SeasonalES", "Drift"], season=7).fit(panel)
    past = held_back(model.trials_["Auto"], panel)
    assert set(past.errors.entity.tolist()) == {0, 2}
    for entity, step, truth in zip(past.errors.entity, past.errors.step, past.errors.truth, strict=True):
        row = int(panel.row0[entity] + step - panel.first[entity])
        np.testing.assert_array_equal(truth[:, 0], panel.values[row + 1 : row + 1 + H, 0])
