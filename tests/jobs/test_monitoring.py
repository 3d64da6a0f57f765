"""``foretide monitor``: the verdict as exit code, text, JSON and page, for a run folder and for a saved model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.command_line import foretide

import foretide as ft
from foretide.errors import ArtifactError, ConfigError
from foretide.jobs.monitoring import FACTS, PAGE, TABLE

FIT, T = 300, 372
EVIL = "<script>alert(1)</script>|=x"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a fitted model, next week's table and one in which prices moved."""
    folder = tmp_path_factory.mktemp("monitor")
    generator = np.random.default_rng(0)
    day, shift = np.arange(T) % 7, 8.0 * (np.arange(T) >= FIT)
    times = pd.date_range("2023-01-01", periods=T).strftime("%Y-%m-%d")
    y = {name: 20 + 3 * np.sin(day) + generator.standard_normal(T) for name in ("a", EVIL)}
    tables = {"sales": (0, FIT, 0), "next": (FIT, T, 0), "moved": (FIT, T, 1), "three": (FIT, FIT + 3, 0)}
    for name, (low, high, moved) in tables.items():
        parts = [pd.DataFrame({"shop": k, "day": times, "sold": (v + moved * shift).round(3)}) for k, v in y.items()]
        pd.concat([part[low:high] for part in parts]).to_csv(folder / f"{name}.csv", index=False)
    (folder / "fit.yaml").write_text(
        "data: {path: sales.csv, id: shop, time: day, target: sold}\nh: 7\nmodels: [{Ridge: {input_size: 14}}]\n"
    )
    foretide("fit", "fit.yaml", "--out", "folder", cwd=folder)
    return folder


def test_exit_codes_are_for_schedulers(place: Path) -> None:
    fine = foretide("monitor", "folder", "next.csv", cwd=place, code=0)
    assert "no change that chance would not explain" in fine.stdout
    assert "not compared" not in fine.stdout  # the table that was fitted on is read again: Ridge remembers two weeks
    moved = foretide("monitor", "folder", "moved.csv", "--quiet", cwd=place, code=3)
    assert moved.stdout == "changed\n"
    few = foretide("monitor", "folder", "three.csv", cwd=place, code=4)
    assert "3 steps came after the fit, and 7 are needed" in few.stdout
    old = foretide("monitor", "folder", "sales.csv", cwd=place, code=2)
    assert "there is no new row to look at" in old.stderr


def test_page_json_and_table(place: Path) -> None:
    done = foretide("monitor", "folder", "moved.csv", "--out", "watched", "--json", cwd=place, code=3)
    told = json.loads(done.stdout)
    assert told == json.loads((place / "watched" / FACTS).read_text())
    assert told["verdict"] == "changed"
    assert {check["name"] for check in told["checks"] if check["alarm"]} >= {"size of the errors", "sold: all series"}
    table = pd.read_csv(place / "watched" / TABLE)
    assert table["alarm"].sum() == sum(check["alarm"] for check in told["checks"])
    page = (place / "watched" / PAGE).read_text()
    assert "something has changed" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_saved_model_by_itself(place: Path) -> None:
    model = ft.load(place / "folder" / "models" / "Ridge")
    alone = ft.monitor(place / "folder" / "models" / "Ridge", place / "next.csv")
    assert alone.figures == ft.monitor(model, pd.read_csv(place / "next.csv")).figures
    assert "14 steps of it are known" in alone.to_text()
    helped = ft.monitor(model, pd.read_csv(place / "next.csv"), history=pd.read_csv(place / "sales.csv"))
    assert {check.kind for check in helped.checks} == {"forecast", "input"}
    assert helped.figures == alone.figures


def test_folders_that_are_none(place: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no saved model"):
        ft.monitor(place, place / "next.csv")
    with pytest.raises(ConfigError, match="Panel.read"):
        ft.monitor(place / "folder" / "models" / "Ridge", place / "next.csv", reading={"decimal": ","})
