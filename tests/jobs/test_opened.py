"""Folders of Parquet files in the place of a table: in Python, in configurations and commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.data.scratch import mapped_file
from foretide.errors import DataError
from foretide.jobs.config import load_config
from foretide.jobs.prepare import prepare, read_panel
from foretide.jobs.tables import read_any

ROLES = dict.fromkeys(("id", "time", "target", "past", "future", "static"))


@pytest.fixture
def sales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A table, which lies in ``sales/region=…/``; the working folder is the one around."""
    monkeypatch.setenv("FORETIDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng, parts = np.random.default_rng(0), []
    for shop in ("a", "b", "c"):
        days = pd.date_range("2024-01-01", periods=60)
        parts.append(pd.DataFrame({"shop": shop, "day": days, "sold": rng.poisson(5, 60), "rain": rng.random(60)}))
    rows = pd.concat(parts, ignore_index=True)
    for shop, part in rows.groupby("shop"):
        folder = tmp_path / f"sales/region={'north' if shop < 'c' else 'south'}"
        folder.mkdir(parents=True, exist_ok=True)
        part.to_parquet(folder / f"{shop}.parquet", index=False)
    return rows.assign(region=np.where(rows["shop"] < "c", "north", "south"))


def test_roles_are_guessed_as_of_a_frame(sales: pd.DataFrame) -> None:
    found, expected = read_any("sales", ROLES, {}), read_any(sales, ROLES, {})
    panel, other = found.panel, expected.panel
    assert mapped_file(panel.values) is not None
    assert (panel.ids, panel.targets, panel.past, panel.static.names) == (
        other.ids, other.targets, other.past, other.static.names,
    )  # fmt: skip
    np.testing.assert_array_equal(panel.values, other.values)
    again = read_panel(found.section)
    np.testing.assert_array_equal(again.values, panel.values)


@pytest.mark.usefixtures("sales")
def test_the_one_call_takes_a_folder() -> None:
    found = pd.DataFrame(ft.forecast("sales", h=7, model="SeasonalNaive", target="sold", past=(), static=()).to_frame())
    assert list(found)[:3] == ["shop", "day", "sold"]
    assert (found["shop"].tolist(), str(found["day"].iloc[-1])[:10]) == ([*"aaaaaaabbbbbbbccccccc"], "2024-03-07")
    with pytest.raises(DataError, match="There is no column 'sould'"):
        ft.forecast("sales", h=7, target="sould")


@pytest.mark.parametrize("path", ["sales", "sales/*/*.parquet"])
@pytest.mark.usefixtures("sales")
def test_a_configuration_names_a_folder(path: str, tmp_path: Path) -> None:
    data = {"path": path, "id": "shop", "time": "day", "target": "sold", "past": "rest"}
    config = load_config({"data": data, "h": 7, "models": ["SeasonalNaive"]})
    panel = prepare(config).panel
    assert (panel.n_entities, mapped_file(panel.values) is not None) == (3, True)
    assert Path(str(config.data.path)).is_relative_to(tmp_path)
