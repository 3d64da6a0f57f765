"""One list of what a folder holds: typed, complete, and the same in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foretide as ft
from foretide.errors import ArtifactError
from foretide.jobs import RunFolder, run_backtest, store
from foretide.jobs.store import ITEMS, Item

SMALL = {
    "data": {"synthetic": {"generator": "supplies", "args": {"T": 200, "n_targets": 3, "n_covariates": 2, "seed": 1}}},
    "h": 3, "input_size": 14, "baselines": False, "models": [{"LSTM": {"hidden": 4, "epochs": 1}}, "SeasonalES"],
    "backtest": {"n_windows": 3, "step": 4},
}  # fmt: skip


def row(item: Item[object]) -> str:
    """The item's row in docs/run-folder.md."""
    names = [
        file.replace("{folder}", "").replace("{", "<").replace("}", ">") for file in (item.file, item.beside) if file
    ]
    return f"| {', '.join(f'`{name}`' for name in names)} | {item.about} | {', '.join(item.jobs)} |"


def test_the_docs_list_every_item_and_no_other(root: Path) -> None:
    text = (root / "docs" / "run-folder.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if re.match(r"\| `", line)] == [row(item) for item in ITEMS]


@pytest.mark.parametrize("job", ["run", "backtest"])
def test_a_folder_holds_items_of_the_list_alone(job: str, tmp_path: Path) -> None:
    do = ft.run if job == "run" else run_backtest
    folder = do(SMALL, output=tmp_path / job)
    names = {"model": "[^/]+", "table": "[^/]+", "picture": ".+"}
    known = [
        re.escape(file).replace(r"\{", "{").replace(r"\}", "}").format(**names).replace(r"\.png", r"\.(png|svg)")
        + (".*" if file.endswith("/") else "")
        for item in ITEMS
        if job in item.jobs
        for file in (item.file, item.beside)
        if file
    ]
    files = [str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()]
    assert [name for name in files if not any(re.fullmatch(pattern, name) for pattern in known)] == []


def test_what_is_read_back_keeps_its_types(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with folder.writing():
        mixed = pd.DataFrame({
            "number": [0, 1, 2], "value": [0.1, np.nan, 1e300],
            "choice": pd.Series(["1", None, True], dtype=object), "size": pd.Series([16, None, 2.5], dtype=object),
            "pair": pd.Series([(1, 2), "NA", None], dtype=object),
        })  # fmt: skip
        folder.keep(store.TRIALS, mixed)
        names = pd.DataFrame({"series": ["NA", "7"], "mean": [1 / 3, np.nan], "first": ["2024-01-01", None]})
        folder.keep(store.AUDIT_SERIES, names)
        weights = {"Attention": np.arange(6, dtype=np.float32).reshape(1, 2, 3).transpose(0, 2, 1)}
        folder.keep(store.ATTENTION, weights)
    again = RunFolder(folder.path)
    back = again.need(store.TRIALS)
    assert [[type(cell) for cell in line] for line in back.itertuples(index=False)] == [
        [type(cell) for cell in line] for line in mixed.itertuples(index=False)
    ]
    pd.testing.assert_frame_equal(back, mixed)
    pd.testing.assert_frame_equal(again.need(store.AUDIT_SERIES), names)
    assert (folder.path / "audit_series.csv").read_text().startswith("series,mean,first\nNA,0.3333333333,")
    np.testing.assert_array_equal(again.need(store.ATTENTION)["Attention"], weights["Attention"])
    assert {"tables", "audit_series.csv"} <= set(again.need(store.STATUS)["files"])


def test_what_is_not_there_is_none_or_an_error(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).read(store.FACTS) is None
    with pytest.raises(ArtifactError, match=r"holds no run\.json, which has facts: the verdict"):
        RunFolder(tmp_path).need(store.FACTS)
