"""Exported files: run without torch and foretide, on original values, with any number of windows."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exported import graph_of, inputs_of, run_graph

import foretide as ft
from foretide.data.windows import at_cutoffs
from foretide.errors import ConfigError, MissingExtraError, NotFittedError, StorageError
from foretide.forecasters import exports
from foretide.forecasters.base import Forecaster
from foretide.forecasters.gaussian import missing
from foretide.forecasters.onnx.about import about_model, check_free

RUNNER = Path(__file__).parents[3] / "examples" / "run_onnx.py"
H = 3
SMALL = {"input_size": 14, "hidden": 8, "epochs": 1, "device": "cpu"}


@cache
def panel() -> ft.Panel:
    """Two shops of other lengths, gaps, a past and a known-future column, text, a closing day, a static column."""
    rng = np.random.default_rng(0)
    frames = []
    for shop, size, n in (("a", 10.0, 150), ("b", 1e5, 130)):
        days = pd.date_range("2024-01-01", periods=n)
        price, shut = rng.normal(5, 1, n), np.arange(n) % 11 == 4
        y = np.maximum(0, size * (3 + np.sin(np.arange(n) * 2 * np.pi / 7) - 0.2 * price + rng.normal(0, 0.1, n)))
        table = {
            "ds": days,
            "y": np.where(shut, 0.0, y),
            "sky": rng.choice(["sun", "rain"], n),
            "temp": rng.normal(size=n),
        }
        frame = pd.DataFrame({"unique_id": shop, **table, "price": price, "shut": 1.0 * shut, "size": size})
        frame.loc[rng.random(n) < 0.05, ["y", "temp"]] = np.nan
        frame.loc[n - H :, ["y", "temp"]] = np.nan
        frames.append(frame)
    return ft.Panel.from_frame(
        pd.concat(frames), future=["price", "sky", "shut"], past=["temp"], static=["size"], missing="mask"
    )


@cache
def attention() -> Forecaster:
    return ft.Attention(h=H, heads=2, head="gaussian", level="last", waves=1, by_step=False, **SMALL).fit(panel())


def asked(series: str, last: str) -> dict[str, Any]:
    """What the runner is given: columns of a table, no panel."""
    frame = panel().to_frame()
    own = frame[frame["unique_id"] == series].reset_index(drop=True)
    cutoff = int(np.flatnonzero(own["ds"] == last)[0])
    past = own.iloc[: cutoff + 1]
    both = own.iloc[: cutoff + 1 + H]
    columns = {name: past[name].tolist() for name in ("y", "temp")}
    columns |= {name: both[name].tolist() for name in ("price", "shut")}
    columns |= {f"sky={label}": (both["sky"] == label).astype(float).tolist() for label in ("rain", "sun")}
    columns = {k: [None if v != v else v for v in values] for k, values in columns.items()}
    return {"series": series, "last": last, "columns": columns, "static": [float(own["size"][0])]}


ORIGINS = [("a", "2024-05-26"), ("b", "2024-05-06"), ("a", "2024-04-01"), ("b", "2024-03-07")]


def test_the_runner_makes_the_inputs_that_the_preparation_makes() -> None:
    pytest.importorskip("onnxruntime")
    found: dict[str, Any] = runpy.run_path(str(RUNNER))
    for origin in ORIGINS:
        windows = at_cutoffs(panel(), [origin[1]])
        own = windows[np.array([panel().ids[i] == origin[0] for i in windows.entity])]
        outputs, about = run_graph(attention(), panel(), own)
        runner = found["Runner"].__new__(found["Runner"])
        runner.about = {**about_model(attention()), **about}
        got = runner.inputs(**asked(*origin))
        for name, values in inputs_of(attention(), panel(), own, about).items():
            np.testing.assert_allclose(got[name], values[0], atol=1e-6, err_msg=name)
        assert outputs["mean"].shape == (1, H, 1)


def test_a_page_of_code_forecasts_what_predict_does(tmp_path: Path) -> None:
    file = attention().export_onnx(tmp_path / "model.onnx")
    code = """
import json, sys
sys.modules["torch"] = sys.modules["foretide"] = sys.modules["pandas"] = None  # whoever imports one fails
sys.path.insert(0, sys.argv[1])
from run_onnx import Runner
import numpy as np
runner = Runner(sys.argv[2])
inputs = [runner.inputs(**one) for one in json.load(open(sys.argv[3]))]
found = {}
for n in (1, 4, 33):
    out = runner.forecast(*(inputs * 33)[:n])
    out["q90"] = runner.quantile(out, 0.9)
    found[n] = {name: values.tolist() for name, values in out.items()}
print(json.dumps({"found": found, "about": runner.about}))
"""
    (tmp_path / "asked.json").write_text(json.dumps([asked(*one) for one in ORIGINS]))
    words = [sys.executable, "-c", code, str(RUNNER.parent), str(file), str(tmp_path / "asked.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    told = json.loads(done.stdout)
    twin = [attention().predict(panel().take([panel().ids.index(s)]), [t], quantiles=0.9) for s, t in ORIGINS]
    assert any(not forecast.mean.all() for forecast in twin)  # a closed day is among them
    for n in (1, 4, 33):
        out = told["found"][str(n)]
        for k in range(n):
            forecast = twin[k % 4]
            np.testing.assert_allclose(out["mean"][k], forecast.mean[0], rtol=1e-5, atol=1e-5)
            open_ = forecast.mean[0] != 0
            np.testing.assert_allclose(np.array(out["q90"][k])[open_], forecast.quantile(0.9)[0][open_], rtol=1e-5)
            assert np.array(out["closed"][k]).tolist() == (~open_).any(axis=1).tolist()
        np.testing.assert_allclose(np.sum(out["attention"], axis=-1), 1.0, rtol=1e-5)
    about = told["about"]
    assert about["ids"] == ["a", "b"]
    assert about["inputs"]["known"]["columns"] == ["price", "sky=rain", "sky=sun", "shut"]
    assert set(about["outputs"]) == {"mean", "closed", "location", "sd", "attention"}
    assert all(about["outputs"].values())
    check_free(file)  # an own file may be replaced


@pytest.mark.parametrize(
    "content", [b"", b"# foretide\n\nMy notes.", b"\x08\x07\x12\x05other"], ids=["empty", "text", "another's"]
)
def test_another_file_is_never_replaced(content: bytes, tmp_path: Path) -> None:
    place = tmp_path / "mine.onnx"
    place.write_bytes(content)
    with pytest.raises(StorageError, match="was not written by export_onnx"):
        attention().export_onnx(place)
    assert place.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["mine.onnx"]


KINDS = {
    "plain attention": lambda: ft.PlainAttention(h=H, heads=2, **SMALL),
    "plain LSTM": lambda: ft.PlainLSTM(h=H, **SMALL),
    "start": lambda: ft.LSTM(h=H, **SMALL).start(),
    "on a base": lambda: ft.LSTM(h=H, level="base", **SMALL),
    "LAVAR": lambda: ft.LAVAR(h=H, order=3, latent=2, head_epochs=2, distribution="errors"),
    "LAVAR with its past": lambda: ft.LAVAR(
        h=H, order=3, latent=2, head_epochs=1, head_margin=0.0, own_history=True, distribution="errors",
        heads=("gaussian", "delta", "delta"),
    ),
    "LAVAR-start": lambda: ft.LAVAR(h=H, order=3, latent=2, distribution="errors").start(),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_graphs_are_what_predict_does(kind: str) -> None:
    model = KINDS[kind]().fit(panel(), intervals=False)
    windows = at_cutoffs(panel(), ["2024-03-20", "2024-04-10", "2024-04-22"])
    found, _ = run_graph(model, panel(), windows)
    forecast = model.predict(panel(), windows, levels=())
    assert not [note for note in forecast.notes if note.kind in ("stand-in", "failed")]
    np.testing.assert_allclose(found["mean"], forecast.mean, rtol=1e-5, atol=1e-5)


TYPES = {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(double)": np.float64}


def test_an_lstm_forecasts_any_number_of_windows(tmp_path: Path) -> None:
    import onnxruntime

    model = ft.LSTM(h=2, **{**SMALL, "epochs": 0}).fit(panel(), intervals=False)
    session = onnxruntime.InferenceSession(model.export_onnx(tmp_path / "model.onnx"))
    for n in (1, 3, 40):
        feed = {port.name: np.zeros([n, *port.shape[1:]], TYPES[port.type]) for port in session.get_inputs()}
        assert len(session.run(["mean"], feed)[0]) == n


def test_trailing_means_of_known_columns() -> None:
    rng = np.random.default_rng(1)
    n = 800
    heat = rng.normal(size=n)
    warmed = np.convolve(heat, np.ones(24) / 24)[:n]
    y = 20 + 8 * np.maximum(warmed, 0) ** 2 * 25 + 3 * np.maximum(heat, 0) + rng.normal(0, 0.1, n)
    days = pd.date_range("2024-01-01", periods=n, freq="h")
    table = ft.Panel.from_frame(pd.DataFrame({"ds": days, "y": y, "heat": heat}), id=None, future=["heat"])
    model = ft.LSTM(h=H, by_step=False, waves=0, penalties=(1e-2,), **{**SMALL, "epochs": 0}).fit(
        table, intervals=False
    )
    assert model.preparation is not None
    assert len(model.preparation.trails)
    windows = at_cutoffs(table, table.grid.output_times([40, 500, n - 1 - H]))
    found, about = run_graph(model, table, windows)
    assert about["before"] == max(model.preparation.trails) - 1
    np.testing.assert_allclose(found["mean"], model.predict(table, windows, levels=()).mean, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_exported_says_what_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="Ridge cannot be written as ONNX. These can: .*Attention.*LAVAR"):
        ft.Ridge(h=H).fit(panel(), intervals=False).export_onnx(tmp_path / "ridge.onnx")
    with pytest.raises(NotFittedError):
        ft.LSTM(h=H).export_onnx(tmp_path / "lstm.onnx")
    gated = ft.LAVAR(h=H, order=3, latent=2, head_epochs=0, gate=5, distribution="errors").fit(panel(), intervals=False)
    with pytest.raises(ConfigError, match="Fit it without: .*gate=None"):
        graph_of(gated)

    def absent(package: str, purpose: str) -> None:
        raise missing(package, purpose)

    monkeypatch.setattr(exports, "require", absent)
    with pytest.raises(MissingExtraError, match=r"foretide\[onnx\]|onnx"):
        attention().export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
