"""A folder's files as one page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app
from foretide.errors import ArtifactError, ConfigError
from foretide.jobs import contents, run_backtest
from foretide.jobs.explaining import explain_run
from foretide.jobs.folder import RunFolder
from foretide.jobs.reporting import write_report
from foretide.jobs.results import result_of
from foretide.jobs.saved import chosen_model, starts_in
from foretide.report.content import Content
from foretide.report.render.markdown import escaped

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    times = pd.date_range("2024-01-01", periods=120, freq="D")
    wave = 10 + np.sin(np.arange(120) * 2 * np.pi / 7)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": times, "y": wave + rng.normal(0, 0.2, 120)})
        for name in (EVIL, "NA", "7")
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("data") / "series.parquet"
    pd.concat(parts).to_parquet(path, index=False)
    return path


def read_content(folder: Path) -> Content:
    content = contents.read_content(RunFolder(folder))
    assert isinstance(content, Content)
    return content


def config(data: Path, *models: Any) -> dict[str, Any]:
    return {
        "name": "kept", "h": 3, "input_size": 14, "models": list(models),
        "data": {"path": str(data), "id": "unique_id", "time": "ds", "target": "y"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [{"Attention": {"epochs": 1, "hidden": 8, "heads": 2, "head": "gaussian"}}]
    return ft.run(config(data, *models), output=tmp_path_factory.mktemp("run") / "one").path


@pytest.fixture(scope="module")
def tested(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = config(data, {"WithIntervals": {"model": {"SeasonalES": {}}, "alias": "ES"}}, "Ridge")
    settings["backtest"] = {"n_windows": 5, "step": 4}
    return run_backtest(settings, output=tmp_path_factory.mktemp("backtest") / "two").path


def test_a_run_holds_what_its_files_hold(run: Path) -> None:
    content = read_content(run)
    assert content.name == "kept"
    assert not content.backtest
    assert content.by_series is not None and content.by_step is not None  # noqa: PT018
    assert list(content.by_series.iloc[:, 0]) == [EVIL, "NA", "7"]  # neither missing nor a number
    # The errors by a loop over the forecasts:
    frame = pd.read_parquet(run / "forecasts.parquet")
    for step, value in zip(content.by_step["h_step"], content.by_step["Attention"], strict=True):
        part = frame[frame["h_step"] == step]
        squares = [(y - f) ** 2 for y, f in zip(part["y"], part["Attention"], strict=True)]
        assert value == pytest.approx(np.sqrt(sum(squares) / len(squares)), rel=1e-6)
    assert list(content.coverage) == [80.0, 95.0]
    assert content.levels["Attention"] == (80.0, 95.0)
    assert content.reliability is not None
    chosen = content.reliability.set_index(["model", "level"])
    below = sum(y < low for y, low in zip(frame["y"], frame["Attention-lo-80"], strict=True)) / len(frame)
    assert chosen.loc[("Attention", 0.1), "below"] == pytest.approx(below)
    assert content.attention["Attention"].weights.shape[1:] == (2, 3, 14)
    assert content.attention["Attention"].windows[0].startswith("cutoff 2024-")
    assert set(content.attention["Attention"].series) == {EVIL, "NA", "7"}
    assert content.history is not None
    assert content.status == ""


def test_a_backtest_holds_its_scorecard(tested: Path) -> None:
    content = read_content(tested)
    assert content.backtest
    assert content.folds is not None and content.forecasts is not None  # noqa: PT018
    assert len(content.folds) == 5
    assert len(content.forecasts) == 5 * 3 * 3
    assert content.reliability is not None
    assert {"ES"} <= set(content.reliability["model"])
    assert content.coverage[80.0]["ES"].between(0, 1).all()
    assert content.attention == {}  # no model with attention in it
    assert content.before is not None
    assert set(content.before["unique_id"]) == {EVIL, "NA", "7"}


def test_what_explain_found_is_read_with_its_tables(run: Path) -> None:
    (part,) = read_content(run).explained
    assert (part.model, part.subject) == ("Attention", "Attention")
    said = (run / "explain.md").read_text(encoding="utf-8")
    assert all(f"- {escaped(sentence)}" in said for sentence in part.sentences)
    assert "![Attention: What attention says](explain/Attention-belief.png)" in said
    assert part.tables["lags_by_distance"]["weight"].max() <= 1
    assert all(len(sentence) < 250 for sentence in part.brief)
    assert len(part.brief) == 2
    assert all(any(short in sentence for sentence in part.sentences) for short in part.brief[:1])
    assert part.sentences[-1].split(".")[0] in write_report(run).read_text(encoding="utf-8")


def test_what_could_not_be_explained_is_logged(run: Path) -> None:
    assert "not explained" not in (run / "run.log").read_text()
    assert {part.subject for part in read_content(run).explained} == {"Attention"}


def test_pictures_as_files_by_the_command(run: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(run), "--figures", "svg"])
    assert done.exit_code == 0, done.output
    made = {p.name for p in (run / "figures").iterdir()}
    assert f"figures: {run / 'figures'} ({len(made)} files)" in done.output
    assert {"steps.svg", "pit.svg", "forecasts-NA.svg"} <= made
    shutil.rmtree(run / "figures")


@pytest.mark.parametrize("kind", ["run", "tested"])
def test_the_page_is_written_by_the_command(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(kind)
    done = CliRunner().invoke(app, ["report", str(folder)])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"report: {folder / 'report.html'}"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert json.loads((folder / "run.json").read_text())["verdict"].replace("'", "&#39;") in page
    assert EVIL not in page
    assert len(page.encode()) < 6_000_000


def test_the_summary_shows_its_pictures_and_says_what_the_page_says(run: Path, tested: Path) -> None:
    for folder in (run, tested):
        text = (folder / "summary.md").read_text(encoding="utf-8")
        files = re.findall(r"\]\(([^)]+\.(?:png|svg))\)", text)
        assert {"forecast.png", "forecast.svg", "error_by_step.png", "folds.png", "calibration.png"} <= set(files)
        assert all((folder / file).stat().st_size > 1000 for file in files)
        assert f"**{escaped(json.loads((folder / 'run.json').read_text())['verdict'])}**" in text
        assert EVIL not in text


def test_no_text_of_a_page_is_python(run: Path, tested: Path) -> None:
    for folder in (run, tested):
        page = (folder / "report.html").read_text(encoding="utf-8")
        texts = re.sub(r"<(script|style|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
        assert re.findall(r"\bft\.\w+|\w+\([^)]*=[^)]*\)|=\.\.\.|\bdef \w+\(|>>>", re.sub(r"<[^>]*>", " ", texts)) == []


def test_an_unfinished_run_says_so(run: Path) -> None:
    status = run / "status.json"
    before = status.read_text()
    try:
        status.write_text(json.dumps({"status": "interrupted"}))
        assert "marked as interrupted" in read_content(run).status
    finally:
        status.write_text(before)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no finished run: run.json or the scorecard is missing"):
        write_report(tmp_path)


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"counts": false}')
    (tmp_path / "scorecard.parquet").write_text("model,rmse\nA,1\n")
    with pytest.raises(ArtifactError):
        write_report(tmp_path)


@pytest.mark.parametrize("facts", ["[]", "3", '{"models": 3}', '{"models": {"Drift": 1}}', '{"models": {"Drift": []}}'])
def test_facts_of_another_shape_are_refused_by_all_that_read_them(facts: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(facts)
    reads = (
        starts_in,
        lambda path: chosen_model(path, None),
        lambda path: result_of(RunFolder(path)),
        write_report,
        explain_run,
    )
    for read in reads:
        with pytest.raises((ArtifactError, ConfigError)):
            read(tmp_path)
