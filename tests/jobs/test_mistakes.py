"""All mistakes of a configuration are said at once, each with its line and what to type."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ConfigError, DataError, MissingExtraError
from foretide.jobs import run_backtest
from foretide.jobs.config import load_config

WRONG = """\
data:
  synthetic: {args: {T: 400, n_serie: 2}}
h: 4
modles: []
split:
  fractions: [0.5, 0.2, 0.2]
models:
  - SeasonalES
  - LSTM:
      hiden: 3
      epoch: 4
  - Atention
  - Attention: {hidden: -3}
search: {models: [Lstm], n_trials: 2}
"""


def test_every_mistake_has_its_line_and_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(WRONG)
    with pytest.raises(ConfigError) as caught:
        ft.run(tmp_path / "job.yaml", output=tmp_path / "out")
    first, *lines = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'job.yaml'} has 8 problems:"
    expected = [
        ("line 2, data.synthetic.args.n_serie:", "Did you mean 'n_series'?"),
        ("line 4, modles:", "Did you mean 'models'?"),
        ("line 5, split:", "sum to one"),
        ("line 10, models.LSTM.hiden:", "Did you mean 'hidden'?"),
        ("line 11, models.LSTM.epoch:", "Did you mean 'epochs'?"),
        ("line 12, models.Atention:", "Did you mean 'Attention'?"),
        ("line 13, models.Attention.hidden:", "hidden=-3"),
        ("line 14, search.models:", "Did you mean 'LSTM'?"),
    ]
    assert len(lines) == len(expected)
    for line, (begin, end) in zip(lines, expected, strict=True):
        assert line.strip().startswith(begin)
        assert end in line
    assert not (tmp_path / "out").exists()


def test_models_columns_and_parts_are_said_together(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60)
    pd.DataFrame({"ds": days, "y": range(60), "z": 1.0}).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "job.yaml").write_text(
        "data: {path: t.csv, target: Y, past: [zz]}\nmodels: [{Ridge: {alpa: 1}}, Drfit]\n"
    )
    with pytest.raises(ConfigError) as caught:
        ft.run(tmp_path / "job.yaml", output=tmp_path / "out")
    text = str(caught.value)
    for part in ("line 2, models.Ridge.alpa", "line 2, models.Drfit", "'Drift'", "line 1, data", "'y'", "'zz'"):
        assert part in text
    # Parts and folds that cannot be, beside a model that does not exist.
    given = {"data": {"path": str(tmp_path / "t.csv")}, "h": 40, "models": ["Drfit"]}
    with pytest.raises(ConfigError, match=r"(?s)2 problems.*models.Drfit.*split: The validation part has 9 steps"):
        ft.run(given, output=tmp_path / "out")
    layout = {
        "data": {"path": str(tmp_path / "t.csv")},
        "h": 3,
        "models": ["Drfit"],
        "backtest": {"start": "2030-01-01"},
    }
    with pytest.raises(ConfigError, match=r"(?s)2 problems.*models.Drfit.*start=2030-01-01 is the first cutoff"):
        run_backtest(layout, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_table_hides_no_other_mistake(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("data: {path: none.csv}\nh: 3\nmodels:\n- Drfit\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "job.yaml")
    text = str(caught.value)
    assert "2 problems" in text
    assert "line 1, data.path: No data file 'none.csv'" in text
    assert "line 4, models.Drfit" in text


def test_a_single_error_keeps_its_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"synthetic": {"args": {"T": 400}}}
    pd.DataFrame({"ds": ["x", "y"], "y": [1.0, 2.0]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError):
        ft.run({"data": {"path": str(tmp_path / "t.csv")}, "models": ["Drift"]}, output=tmp_path / "out")
    (tmp_path / "job.yaml").write_text("data: {synthetic: {}}\nmodels:\n  - Drfit\n")
    with pytest.raises(ConfigError, match="^line 3, models.Drfit: There is no forecaster"):
        ft.run(tmp_path / "job.yaml", output=tmp_path / "out")
    monkeypatch.setitem(sys.modules, "optuna", None)
    given = {"data": data, "models": ["SeasonalES"], "h": 3, "search": {"n_trials": 2}}
    with pytest.raises(MissingExtraError, match="optuna.*--sampler random"):
        ft.run(given, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    # A backtest does not search.
    assert run_backtest({**given, "explain": False, "baselines": False}, output=tmp_path / "b").status == "finished"


def test_wrong_keys_are_told_for_every_form_of_models() -> None:
    for models in (["LSTM", 3], {"LSTM": 3}, 3):
        with pytest.raises(ConfigError, match="models"):
            load_config({"data": {"synthetic": {}}, "models": models})


def test_trials_by_model_are_checked() -> None:
    base = {"data": {"synthetic": {"args": {"T": 400}}}, "models": ["LSTM"], "h": 3}
    for wrong in (0, {"LSTM": 0}, {"LSTM": True}, {}, "many", 1.5):
        with pytest.raises(ConfigError, match=r"search.n_trials: expected a whole number above 0"):
            load_config({**base, "search": {"n_trials": wrong}})
    with pytest.raises(ConfigError, match=r"search.n_trials: the run has no model 'Ridge' to search"):
        ft.run({**base, "search": {"n_trials": {"Ridge": 2}}})
