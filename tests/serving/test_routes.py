"""What comes in by HTTP, and what goes out: answers as Python gives them, errors in one form, nothing above 499."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from served import TOKEN, records, sales, wide, worded

from foretide.forecasters.base import Forecaster
from foretide.forecasters.levels import interval_columns
from foretide.serving.client import _columns, _frame
from foretide.serving.kserve import Response
from foretide.serving.schema import Answer

ISO = "%Y-%m-%dT%H:%M:%S"


def check(answer: dict[str, Any], model: Forecaster, frame: pd.DataFrame) -> None:
    """Hold an answer against what Python forecasts."""
    expected = model.predict(frame).pandas()
    rows = answer["forecasts"]
    np.testing.assert_allclose(np.concatenate([row["mean"] for row in rows]), expected[model.name], rtol=1e-9)
    for level in ("80", "95"):
        for end, column in zip(("lower", "upper"), interval_columns(model.name, float(level)), strict=True):
            got = np.concatenate([row["intervals"][level][end] for row in rows])
            np.testing.assert_allclose(got, expected[column], rtol=1e-9)
    assert [row["id"] for row in rows] == list(dict.fromkeys(expected["unique_id"]))
    times = [time for row in rows for time in row["times"]]
    assert times == [t if isinstance(t, int) else t.strftime(ISO) for t in expected["ds"].tolist()]


def test_forecast_from_rows(serving: Any, models: dict[str, Forecaster]) -> None:
    client, frame = serving(), sales(40, seed=3)
    answer = client.post("/v1/forecast", json={"model": "naive", "history": records(frame)}).json()
    check(answer, models["naive"], frame)
    columns = {name: frame[name].astype(str if name == "ds" else object).tolist() for name in frame}
    again = client.post("/v1/forecast", json={"model": "naive", "history": columns}).json()
    assert again["forecasts"] == answer["forecasts"]
    assert (answer["model"], answer["version"], answer["warnings"]) == ("naive", "1", [])


def test_forecast_from_parquet(serving: Any, models: dict[str, Forecaster]) -> None:
    frame, body = sales(40, seed=3), io.BytesIO()
    frame.to_parquet(body)
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    answer = serving().post("/v1/forecast?model=naive&levels=80,95", content=body.getvalue(), headers=headers).json()
    check(answer, models["naive"], frame)


def test_known_future_by_itself_or_in_the_table(serving: Any, models: dict[str, Forecaster]) -> None:
    frame, client = sales(known=True), serving()
    cut = frame["ds"] < frame["ds"].max() - pd.Timedelta(days=6)
    history, future = frame[cut], frame[~cut].drop(columns="y")
    by_itself = {"model": "promo", "history": records(history), "future": records(future)}
    check(client.post("/v1/forecast", json=by_itself).json(), models["promo"], frame.assign(y=frame["y"].where(cut)))
    none = client.post("/v1/forecast", json={"model": "promo", "history": records(history)})
    assert none.status_code == 422
    assert "promo" in none.json()["error"]["message"]


def test_integers_and_several_targets(serving: Any, models: dict[str, Forecaster]) -> None:
    client = serving()
    counted = pd.DataFrame({"ds": np.arange(30), "y": np.arange(30.0) ** 2})
    answer = client.post(
        "/v1/forecast", json={"model": "counted", "history": counted.to_dict("records"), "h": 2}
    ).json()
    assert answer["forecasts"][0]["times"] == [30, 31]
    assert answer["forecasts"][0]["id"] == "y"
    two = sales(30, ("x",)).rename(columns={"y": "tea"}).assign(milk=1.0)
    check(client.post("/v1/forecast", json={"model": "two", "history": records(two)}).json(), models["two"], two)


def test_tables_of_every_kind_by_the_client(serving: Any, models: dict[str, Forecaster]) -> None:
    client = serving()
    zoned = sales(40, ("x",), seed=6).assign(shop=8).drop(columns="unique_id")
    kinds = {
        "text": worded().iloc[:100], "wide": wide().iloc[20:60],
        "zone": zoned.assign(ds=zoned["ds"].dt.tz_localize("Europe/Berlin")),
    }  # fmt: skip
    for name, frame in kinds.items():
        answer = client.post("/v1/forecast", json={"model": name, "history": _columns(frame)}).json()
        pd.testing.assert_frame_equal(_frame(answer, notes=True), models[name].predict(frame).pandas(notes=True))


def test_samples_are_those_of_python(serving: Any, models: dict[str, Forecaster]) -> None:
    frame = sales(40, seed=3)
    asked = {"model": "naive", "history": records(frame), "samples": 5, "seed": 2, "quantiles": [0.9]}
    rows = serving().post("/v1/forecast", json=asked).json()["forecasts"]
    expected = models["naive"].predict(frame, quantiles=0.9)
    np.testing.assert_allclose([row["samples"] for row in rows], expected.sample(5, 2)[..., 0])
    np.testing.assert_allclose([row["quantiles"]["0.9"] for row in rows], expected.quantile(0.9)[..., 0])


def test_every_example_of_the_page_runs(serving: Any) -> None:
    client = serving()
    page, n = client.get("/openapi.json").json(), 0
    kinds = {"/v1/forecast": Answer, "/v1/timeseries/forecast": Response}
    for path in ("/v1/forecast", "/v1/timeseries/forecast"):
        for title, example in page["paths"][path]["post"]["requestBody"]["content"]["application/json"][
            "examples"
        ].items():
            got = client.post(path, json=example["value"])
            assert got.status_code == 200, (title, got.text)
            kinds[path].model_validate(got.json())
            n += 1
    assert n == 11


def test_kserve_time_series(serving: Any, models: dict[str, Forecaster]) -> None:
    frame = sales(30, ("x",))
    entry = {
        "type": "univariate_time_series", "name": "x", "series": frame["y"].tolist(), "frequency": "day",
        "start_timestamp": "2024-01-01T00:00:00", "further": 1,
    }  # fmt: skip
    asked = {"model": "naive", "inputs": [entry], "options": {"horizon": 3, "quantiles": [0.1, 0.9]}}
    got = serving().post("/v1/timeseries/forecast", json=asked).json()
    (content,) = got["outputs"][0]["content"]
    expected = models["naive"].predict(frame, h=3, levels=80)
    np.testing.assert_allclose(content["mean_forecast"], expected.mean[0, :, 0])
    np.testing.assert_allclose(content["quantiles"]["0.9"], expected.quantile(0.9)[0, :, 0])
    assert content["start_timestamp"] == "2024-01-31T00:00:00"
    assert (got["status"], got["model"], content["name"]) == ("completed", "naive", "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start_timestamp": None}, "expected the time of the first value"),
        ({"start_timestamp": "soon"}, "start_timestamp"), ({"start_timestamp": "9999-01-01"}, "start_timestamp"),
        ({"frequency": "hour"}, "was fitted on steps of 'D', got 'hour'"), ({"series": []}, "a list of numbers"),
        ({"series": [[1.0], "a"]}, "expected a list of numbers"), ({"series": [None] * 9}, ""),
    ],
)  # fmt: skip
def test_kserve_refusals(serving: Any, change: dict[str, Any], message: str) -> None:
    entry = {"name": "x", "series": [1.0, 2.0], "frequency": "D", "start_timestamp": "2024-01-01", **change}
    asked = {"model": "naive", "inputs": [entry], "options": {"horizon": 3}}
    got = serving().post("/v1/timeseries/forecast", json=asked)
    assert got.status_code == 422
    assert message in got.json()["error"]["message"]


BODY = {"model": "naive", "history": records(sales(9, ("x",)))}


REFUSED: list[tuple[Any, int, str]] = [
    (b"{", 400, "not JSON"), (b"\xff", 400, "not UTF-8"), (b"[" * 100_000, 422, "nested too deeply"),
    (b'{"history": [{"y": NaN}]}', 422, "NaN"), (b'{"h": ' + b"9" * 5000 + b"}", 422, "too many digits"),
    (b"[]", 422, "the body"), ({"history": []}, 422, "no rows"), ({"history": "a"}, 422, "got a text"),
    ({"history": [{"y": [1]}]}, 422, "a cell is a number"), ({"history": {"a": [1], "b": []}}, 422, "one length"),
    ({**BODY, "h": 8}, 422, "forecasts 7 steps, not 8"), ({**BODY, "h": "3"}, 422, "h: "),
    ({**BODY, "levels": [0.8]}, 422, "looks like a fraction"), ({**BODY, "horizon": 3}, 422, "horizon: "),
    ({**BODY, "quantiles": [50]}, 422, "quantile"), ({**BODY, "attention": True}, 422, "no attention"),
    ({**BODY, "model": "none"}, 404, "There is no model 'none'"), ({**BODY, "version": "7"}, 404, "no version '7'"),
    ({"history": BODY["history"]}, 422, "name one of"), ({"model": "naive"}, 422, "expected the rows"),
    ({"model": "naive", "history": [{"unique_id": "x", "ds": "2024-01-01"}]}, 422, "'y'"),
    ({"model": "naive", "history": [{"unique_id": "x", "ds": "2024-01-01", "y": 1e999}]}, 422, "y"),
    (b'{"model": "\\ud800"}', 422, "half of a character"),
    ({"model": "naive", "history": [{"unique_id": "x", "ds": "2024-01-01", "y": 10**400}]}, 422, "too large"),
    ({"model": "naive", "history": [{"unique_id": "x", "ds": "05/06/2024", "y": 1}]}, 422, "ds"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refusals_say_what_is_wrong(serving: Any, body: Any, status: int, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).replace("Infinity", "1e999").encode()
    got = serving().post("/v1/forecast", content=content, headers={"Content-Type": "application/json"})
    assert got.status_code == status, got.text
    assert message in got.json()["error"]["message"]
    assert {name: set(said) for name, said in got.json().items()} == {"error": {"message", "type"}}


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        ({"bytes": 100}, "bytes"), ({"rows": 8}, "rows"), ({"columns": 2}, "columns"), ({"text": 5}, "characters"),
        ({"cells": 10}, "numbers in the answer"), ({"levels": 1}, "levels and quantiles"),
    ],
)  # fmt: skip
def test_limits(serving: Any, limits: dict[str, int], what: str) -> None:
    got = serving(**limits).post("/v1/forecast", json=BODY)
    assert got.status_code == 413
    assert got.json()["error"]["type"] == "LimitError"
    assert what in got.json()["error"]["message"]


def test_series_are_limited_too(serving: Any) -> None:
    asked = {"model": "naive", "history": records(sales(9, ("x", "y", "z")))}
    assert "series: 3 are more than the 2" in serving(series=2).post("/v1/forecast", json=asked).text


def test_bodies_of_other_kinds(serving: Any) -> None:
    client = serving()
    assert client.post("/v1/forecast", content=b"a,b", headers={"Content-Type": "text/csv"}).status_code == 415
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert client.post("/v1/forecast", content=b"{}", headers=packed).status_code == 415
    parquet = {"Content-Type": "application/vnd.apache.parquet"}
    assert client.post("/v1/forecast?model=naive", content=b"PAR1", headers=parquet).status_code == 400
    assert client.post("/v1/forecast?h=a", content=b"PAR1", headers=parquet).status_code == 422
    assert client.get("/v1/forecast").status_code == 405
    assert client.get("/nothing").json()["error"]["type"] == "UnknownRoute"


def test_tokens(serving: Any) -> None:
    client = serving(token=TOKEN)
    for path in ("/v2/health/live", "/v2/health/ready", "/ready"):
        assert client.get(path).status_code == 200
    for headers in ({}, {"Authorization": "Bearer other-token-than-that"}, {"Authorization": TOKEN}):
        got = client.get("/v1/models", headers=headers)
        assert (got.status_code, got.headers["www-authenticate"]) == (401, "Bearer")
        assert client.post("/v1/forecast", json=BODY, headers=headers).status_code == 401
    opened = client.get("/v1/models", headers={"Authorization": f"Bearer {TOKEN}"})
    assert [about["name"] for about in opened.json()["models"]] == [
        "counted",
        "naive",
        "promo",
        "text",
        "two",
        "wide",
        "zone",
    ]


def test_only_names_of_this_machine_without_a_token(serving: Any) -> None:
    client = serving(hosts={"localhost"})
    assert client.get("/ready", headers={"Host": "evil.example:8080"}).status_code == 421
    assert client.get("/ready", headers={"Host": "localhost:8080"}).status_code == 200


def test_models_and_their_state(serving: Any) -> None:
    client = serving()
    assert client.get("/v2").json()["name"] == "foretide"
    assert client.get("/v2/models/naive").json()["versions"] == ["1"]
    assert client.get("/v2/models/naive/versions/1/ready").json() == {"name": "naive", "ready": True}
    assert client.get("/v2/models/none/ready").status_code == 404
    about = next(m for m in client.get("/v1/models").json()["models"] if m["name"] == "promo")
    assert (about["h"], about["freq"], about["future"], about["latest"]) == (7, "D", ["promo"], True)


def test_metrics_count_requests_and_rows(serving: Any) -> None:
    client = serving()
    client.post("/v1/forecast", json=BODY)
    client.get("/somewhere")
    text = client.get("/metrics").text
    assert 'foretide_requests_total{route="/v1/forecast",status="200"} 1.0' in text
    assert 'foretide_rows_total{model="naive"} 9.0' in text
    assert 'foretide_model_info{forecaster="SeasonalNaive",model="naive",version="1"} 1.0' in text
    assert "somewhere" not in text


def test_an_error_of_our_own_says_nothing_of_the_inside(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import foretide.serving.forecasting as forecasting

    client = serving()
    monkeypatch.setattr(forecasting, "_panel", lambda *_: 1 / 0)
    monkeypatch.setattr(type(client.service.shelf.latest("naive").model), "predict", lambda *_, **__: 1 / 0)
    got = client.post("/v1/forecast", json=BODY)
    assert got.status_code == 500
    assert "division" not in got.text
    assert "not your fault" in got.json()["error"]["message"]
