"""The attention that a run keeps, as ``.npy``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import foretide as ft
from foretide.cli.app import app
from foretide.data.files import file_name
from foretide.errors import ArtifactError, ConfigError
from foretide.jobs.attention import export_attention
from foretide.jobs.saved import saved_models

H, L, M = 3, 16, 2
QUICK = {"input_size": L, "hidden": 8, "heads": M, "epochs": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = {
        "data": {"synthetic": {"args": {"T": 220, "n_series": 2}}}, "h": H, "baselines": False, "explain": False,
        "attention_windows": 8,
        "models": [{"Attention": QUICK}, {"PlainAttention": {**QUICK, "alias": "plain one"}}, "SeasonalES"],
    }  # fmt: skip
    return ft.run(config, output=tmp_path_factory.mktemp("runs") / "run").path


def test_windows_heads_steps_and_lags(run: Path) -> None:
    done = CliRunner().invoke(app, ["explain", str(run), "--npy"])
    assert done.exit_code == 0, done.output
    assert not (run / "explain.md").exists()
    about = json.loads((run / "attention.json").read_text())
    for name in ("Attention", "plain one"):
        path = run / f"attention-{file_name(name)}.npy"
        assert str(path) in done.output.replace("\n", "")
        array = np.load(path, allow_pickle=False)
        assert array.dtype == np.float32
        assert array.shape == (8, M, H, L)
        np.testing.assert_allclose(array.sum(axis=-1), 1, atol=1e-5)
        windows = about["models"][name]["windows"]
        model, panel = ft.load(saved_models(run)[name]), ft.synthetic.hourly(T=220, n_series=2).panel
        at = model.predict(panel, cutoffs=[windows[3]["cutoff"]], attention=True)
        np.testing.assert_allclose(array[3], at.extras["attention"][0], rtol=1e-5, atol=1e-7)


def test_one_model(run: Path) -> None:
    (path,) = export_attention(run, model="plain one").values()
    assert path == run / f"attention-{file_name('plain one')}.npy"
    with pytest.raises(ConfigError, match=r"no attention of 'plain on'\. Did you mean 'plain one'"):
        export_attention(run, model="plain on")


def test_a_folder_without_attention(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no attention"):
        export_attention(tmp_path)


def test_a_summary_writes_any_windows(run: Path, tmp_path: Path) -> None:
    model, panel = ft.load(saved_models(run)["plain one"]), ft.synthetic.hourly(T=220, n_series=2).panel
    summary = ft.explain.attention(model, panel, panel.grid.output_times(np.arange(40, 200)))
    assert summary.write_npy(tmp_path / "all.npy") == (160, M, H, L)
    whole = np.load(tmp_path / "all.npy", allow_pickle=False)
    np.testing.assert_allclose(whole, summary.weights_of(range(160)), rtol=1e-5, atol=1e-7)
    assert summary.write_npy(tmp_path / "some", places=[3, 7]) == (2, M, H, L)
    np.testing.assert_allclose(np.load(tmp_path / "some"), whole[[3, 7]], rtol=1e-5, atol=1e-7)
