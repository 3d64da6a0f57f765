"""Pages of scorecards that no job made: ``card.save``, ``ft.backtest(folder=)``, and the command that reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from html_reader import Reader
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app
from foretide.errors import ArtifactError
from foretide.jobs import contents
from foretide.jobs.folder import RunFolder
from foretide.jobs.reporting import write_report
from foretide.report.content import Content


@pytest.fixture(scope="module")
def panel() -> ft.Panel:
    return ft.synthetic.hourly(T=240, n_series=2, seed=1).panel


@pytest.fixture(scope="module")
def folder(panel: ft.Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("backtest") / "kept"
    models = [ft.SeasonalNaive(h=4, season=24), ft.WithIntervals(ft.SeasonalES(h=4), alias="ES")]
    ft.backtest(models, panel, n_windows=4, step=5, folder=place)
    return place


def sections(page: Path) -> list[str | None]:
    return [s["id"] for s in Reader(page.read_text(encoding="utf-8")).of("section")]


def test_a_backtest_with_a_folder_leaves_its_card_and_page_there(folder: Path, panel: ft.Panel) -> None:
    found = sections(folder / "report.html")
    assert found == [
        "summary",
        "leaderboard",
        "forecasts",
        "errors",
        "folds",
        "calibration",
        "models",
        "choices",
        "settings",
        "data",
    ]
    card = ft.Scorecard.load(folder)
    assert "ES" in card.models
    facts = json.loads((folder / "run.json").read_text())
    assert (facts["kind"], facts["verdict"]) == ("scorecard", card.verdict())
    content = contents.read_content(RunFolder(folder), card)
    assert isinstance(content, Content)
    assert content.backtest
    assert content.before is not None  # what the card itself does not hold
    # The same call resumes: nothing of it is in the way.
    again = ft.backtest([ft.SeasonalNaive(h=4, season=24)], panel, n_windows=4, step=5, folder=folder)
    assert any(note.startswith("resumed") for note in again.notes)


def test_the_command_reads_a_card_that_was_saved_alone(folder: Path, tmp_path: Path) -> None:
    card = ft.Scorecard.load(folder)
    card.save(tmp_path / "card", page=False)
    assert sorted(p.name for p in (tmp_path / "card").iterdir()) == ["scorecard.json", "scorecard.parquet"]
    done = CliRunner().invoke(app, ["report", str(tmp_path / "card"), "--figures", "svg"])
    assert done.exit_code == 0, done.output
    page = tmp_path / "card" / "report.html"
    assert f"report: {page}" in done.output
    assert sections(page)[:3] == ["summary", "leaderboard", "forecasts"]
    assert (tmp_path / "card" / "figures" / "steps.svg").is_file()


def test_a_file_of_the_folder_names_it_too(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "card")
    (tmp_path / "card" / "report.html").unlink()
    done = CliRunner().invoke(app, ["report", str(tmp_path / "card" / "scorecard.parquet")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "card" / "report.html").is_file()
    other = tmp_path / "card" / "before.parquet"
    with pytest.raises(ArtifactError, match="holds no finished run"):
        write_report(other)


def test_forecasts_that_were_scored_have_a_page(panel: ft.Panel, tmp_path: Path) -> None:
    until, later = panel.grid.output_times([200, 220])
    forecast = ft.Drift(h=6).fit(panel, until=until).predict(panel, cutoffs=[until, later])
    ft.score([forecast], panel).save(tmp_path)
    assert sections(tmp_path / "report.html")[0] == "summary"
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "foretide scorecard" in text
    assert "2 windows of 6 hours, the same for all models." in text


def test_a_card_saved_into_the_folder_of_a_job_leaves_its_facts(tmp_path: Path) -> None:
    data = {"synthetic": {"args": {"T": 200}}}
    run = ft.run({"data": data, "h": 4, "models": ["SeasonalNaive"], "baselines": False}, output=tmp_path / "run").path
    before = (run / "run.json").read_text()
    shutil.copytree(run, tmp_path / "copy")
    ft.Scorecard.load(run).save(tmp_path / "copy")
    assert (tmp_path / "copy" / "run.json").read_text() == before
    assert sections(tmp_path / "copy" / "report.html") == sections(run / "report.html")
