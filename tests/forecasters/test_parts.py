from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.panel import Panel, Static
from foretide.errors import ConfigError
from foretide.forecasters import parts
from foretide.forecasters.base import Forecaster


@pytest.fixture
def panel() -> Panel:
    made = ft.synthetic.supplies(T=60, n_sites=5, n_targets=2, n_covariates=1).panel
    static = Static(
        ("region", "size"), np.array([[0.0, 1], [1, 2], [0, 3], [0, 4], [1, 5]]), {"region": ("a b", "c/d")}
    )
    return Panel(**{**made.__dict__, "static": static})


@pytest.fixture
def model(panel: Panel) -> Forecaster:
    return ft.SeasonalNaive(h=7, season=7).fit(panel)


@pytest.fixture(params=[1, 3_000, 2**30])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(parts, "PART_BYTES", request.param)
    return int(request.param)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("partition", [None, "unique_id", "region", "size"])
def test_parts_hold_the_forecast(panel: Panel, model: Forecaster, partition: str | None, tmp_path: Path) -> None:
    cutoffs = panel.grid.output_times([40, 59])
    expected = model.predict(panel, cutoffs).pandas(notes=True)
    found = ft.write_forecasts(model, panel, tmp_path / "out", cutoffs=cutoffs, partition=partition, notes=True)
    frame = pd.read_parquet(found)
    if partition == "unique_id":
        frame["unique_id"] = frame["unique_id"].astype(str)
    elif partition is not None:
        folder = {path.name for path in found.iterdir()}
        names = {"region": {"region=a%20b", "region=c%2Fd"}}
        assert folder == names.get(partition, {f"size={k}" for k in range(1, 6)})
        assert frame.pop(partition).nunique() == (2 if partition == "region" else 5)
    pd.testing.assert_frame_equal(in_order(frame)[list(expected)], in_order(expected), check_dtype=False)


def test_series_without_a_value_have_a_folder_too(panel: Panel, model: Forecaster, tmp_path: Path) -> None:
    panel.static.values[3, 0] = np.nan
    found = ft.write_forecasts(model, panel, tmp_path / "out", partition="region")
    rows = pd.read_parquet(found / "region=__HIVE_DEFAULT_PARTITION__/part-00000.parquet")
    assert set(rows["unique_id"]) == {f"{panel.ids[3]}/{target}" for target in panel.targets}


def test_a_folder_that_is_there_stays(panel: Panel, model: Forecaster, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"out is there already. Choose another folder, or type overwrite=True"):
        ft.write_forecasts(model, panel, tmp_path / "out")
    with pytest.raises(ConfigError, match="partition='regoin': expected one of unique_id, region, size"):
        ft.write_forecasts(model, panel, tmp_path / "new", partition="regoin")
    with pytest.raises(ConfigError, match="no trace|levels"):
        ft.write_forecasts(model, panel, tmp_path / "out", levels=-3, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out/mine.txt").read_text() == "mine"
    ft.write_forecasts(model, panel, tmp_path / "out", overwrite=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["part-00000.parquet"]


def test_a_table_in_files_is_forecast_as_one_in_memory(panel: Panel, model: Forecaster, tmp_path: Path) -> None:
    panel.to_frame().to_parquet(tmp_path / "rows.parquet", index=False)
    opened = ft.Panel.open(
        tmp_path / "rows.parquet", target=list(panel.targets), past=list(panel.past), future=list(panel.future),
        static=["region", "size"], missing="mask", cache=tmp_path / "cache",
    )  # fmt: skip
    np.testing.assert_array_equal(model.predict(opened).mean, model.predict(panel).mean)
