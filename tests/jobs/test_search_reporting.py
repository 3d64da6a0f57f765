"""A folder of a search as one page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import make_panel
from ruamel.yaml import YAML
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app
from foretide.data.panel import Panel
from foretide.errors import ArtifactError
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.jobs.contents import read_content
from foretide.jobs.folder import RunFolder
from foretide.jobs.reporting import write, write_report
from foretide.jobs.searching import keep_study, run_search
from foretide.report.search.content import SearchContent
from foretide.tuning.trials import missing

pytest.importorskip("optuna")
EVIL = "<script>alert(1)"
CONFIG: dict[str, Any] = {
    "name": f"hours {EVIL}", "h": 4,
    "data": {"synthetic": {"args": {
        "T": 420, "n_series": 2, "seed": 3, "regime_shifts": 0, "heteroskedasticity": 0, "coupling": 0,
    }}},
    "models": [
        {"SeasonalMean": {"season": 24, "alias": EVIL}}, {"Ridge": {"alias": "NA"}},
        {"LSTM": {"epochs": 1, "hidden": 8}},
    ],
    "search": {"n_trials": 9, "n_windows": 6},
}  # fmt: skip


def read_search(folder: Path) -> SearchContent:
    content = read_content(RunFolder(folder))
    assert isinstance(content, SearchContent)
    return content


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_search(CONFIG, output=tmp_path_factory.mktemp("search") / "hours").path


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copied"))


def test_a_search_holds_what_its_files_hold(finished: Path) -> None:
    content = read_search(finished)
    assert content.name == f"hours {EVIL}"
    assert content.status == ""
    trials = pd.read_csv(finished / "trials.csv", dtype={"model": str, "value": str}, keep_default_na=False)
    assert len(content.trials) == 9
    assert content.trials["model"].tolist() == trials["model"].tolist()
    assert set(content.trials["model"]) == {EVIL, "NA", "LSTM"}  # "NA" is a name
    assert content.trials["value"].tolist() == [float(text) for text in trials["value"]]
    best = json.loads((finished / "run.json").read_text())["best"]
    assert content.facts["best"] == best
    assert content.done.loc[content.done["value"].idxmin(), "number"] == best["number"]
    assert set(content.leaderboard["model"]) >= {EVIL, "NA", "LSTM", "SeasonalNaive"}
    assert content.test_board is not None
    assert best["model"] in set(content.test_board["model"])
    assert content.is_log("LSTM", "lr")
    assert not content.is_log("LSTM", "layers")
    assert content.tuned == (finished / "tuned.yaml").read_text(encoding="utf-8")
    assert {"foretide", "optuna"} <= set(content.versions)


def test_settings_are_read_as_they_were_tried(tmp_path: Path) -> None:
    study = ft.tune(
        [Odd], make_panel((320, 310), targets=2, first=(0, 10)), h=7, n_trials=25, storage="memory", baselines=False,
        space={
            "size": [16, None], "text": ["1", "2", "None", EVIL], "flag": [True, False], "pair": [(1, 2), (3, 4)],
            "rate": (0.5, 2.0, "log"), "whole": (1, 50), "ratio": [0.5, 1.0],
        }, sampler="random", refit=False,
    )  # fmt: skip
    folder = RunFolder(tmp_path)
    keep_study(study, folder, seconds=1.0)
    content = read_search(tmp_path)
    assert len(content.trials) == len(study.rows) == 25
    for row, line in zip(study.rows, content.trials.to_dict("records"), strict=True):
        for name, value in row.settings.items():
            assert (line[name], type(line[name])) == (value, type(value)), name
    assert content.spaces == {"Odd": dict(study.candidates[0].space)}
    assert content.importances == study.all_importances()
    assert sum(content.importances["Odd"].values()) == pytest.approx(1)
    write(folder)
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "![Value by setting](slices.png)" in text
    assert "![Value by setting](parallel.png)" in text
    assert all((tmp_path / f"{name}.png").is_file() for name in ("history", "importance", "slices", "parallel"))


class Odd(Forecaster):
    """Forecasts a level that depends on settings of every kind."""

    def __init__(
        self, h: int, size: int | None = 16, text: str = "1", flag: bool = True, pair: Any = (1, 2), rate: float = 1.0,
        whole: int = 3, ratio: float = 0.5, *, alias: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(h, alias=alias)
        self.size, self.text, self.flag, self.pair = size, text, flag, pair
        self.rate, self.whole, self.ratio = rate, whole, ratio

    def _fit(self, part: FitPart) -> None:
        self.level = self.rate + self.whole + (self.size or 0)

    def _predict(self, panel: Panel, windows: Any, quantiles: Any, traces: Any) -> Prediction:
        return Prediction(np.full((len(windows), self.h, panel.n_targets), self.level))


def test_a_model_without_a_setting_has_none(finished: Path) -> None:
    trials = read_search(finished).trials
    lstm = trials["model"] == "LSTM"
    assert all(type(value) is int for value in trials.loc[lstm, "layers"])
    assert all(missing(value) for value in trials.loc[~lstm, "layers"])


def test_the_page_is_written_by_the_command(finished: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(finished)])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"report: {finished / 'report.html'}"
    page = (finished / "report.html").read_text(encoding="utf-8")
    facts = json.loads((finished / "run.json").read_text())
    for text in (facts["verdict"], facts["test_verdict"]):
        assert text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;") in page
    assert "foretide search" in page
    assert EVIL not in page
    assert len(page.encode()) < 3_000_000


def test_a_search_ends_with_the_path_of_its_page(tmp_path: Path) -> None:
    quick = {**CONFIG, "name": "quick", "models": [{"SeasonalMean": {"season": 24}}]}
    with (tmp_path / "c.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(quick, file)
    done = CliRunner().invoke(app, ["tune", str(tmp_path / "c.yaml"), "-n", "2", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    lines = done.output.strip().splitlines()
    assert f"page: {tmp_path / 'out' / 'report.html'}" in lines[-3:]
    assert lines[-1] == f"report: {tmp_path / 'out' / 'summary.md'}"
    assert read_search(tmp_path / "out").name == "quick"
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_search_that_goes_on_says_so(copied: Path) -> None:
    (copied / "status.json").write_text(json.dumps({"status": "interrupted"}))
    assert read_search(copied).status.startswith("This search is marked as interrupted; what is here")
    (copied / "scorecard.parquet").unlink()
    assert read_search(copied).test_board is None


@pytest.mark.parametrize("name", ["tables/trials.json", "study.json", "tables/leaderboard.parquet"])
def test_a_folder_that_lacks_a_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(ArtifactError, match="holds no finished search. Expected .*`foretide tune`"):
        write_report(copied)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tables/trials.json", "{}"), ("tables/trials.json", ""), ("study.json", "{}"), ("study.json", "[]"),
        ("study.json", "not json"), ("settings.yaml", "a: ["), ("tables/leaderboard.parquet", ""),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused(copied: Path, name: str, text: str) -> None:
    (copied / name).write_text(text)
    with pytest.raises(ArtifactError, match=r"(?s)cannot be read: \w+: .*Make it again"):
        write_report(copied)


def test_other_folders_are_not_read_as_a_search(tmp_path: Path) -> None:
    for text in ("{}", '{"kind": "backtest"}'):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(ArtifactError, match="holds no finished run.*or `tune`"):
            write_report(tmp_path)
