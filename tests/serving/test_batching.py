"""Requests forecast together get what each would have got by itself, and the line of requests has an end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from served import records, sales

from foretide.data.panel import Panel
from foretide.forecasters.base import Forecaster
from foretide.forecasters.table import forecaster_class
from foretide.serving.asked import Asked, Settings
from foretide.serving.batching import Batcher
from foretide.serving.forecasting import Outcome, forecast_all
from foretide.serving.limits import Limits, RequestError
from foretide.serving.models import Served
from foretide.serving.tables import columns_of

LIMITS = Limits()


def asked(model: Forecaster, frame: pd.DataFrame, **settings: Any) -> Asked:
    columns = columns_of(records(frame), None, LIMITS)
    return Asked.of(Served("m", "1", model, b""), Settings(**settings), columns, LIMITS)


def shared(requests: list[Asked]) -> list[Asked]:
    """Requests of one model as a service has them: of one and the same object."""
    served = requests[0].served
    return [Asked(served, r.settings, r.columns, r.plain, r.rows) for r in requests]


def close(one: Outcome, other: Outcome) -> None:
    assert one.answer is not None
    assert other.answer is not None
    for row, own in zip(one.answer["forecasts"], other.answer["forecasts"], strict=True):
        assert {k: row.get(k) for k in ("id", "times", "cutoff", "note")} == {
            k: own.get(k) for k in ("id", "times", "cutoff", "note")
        }
        np.testing.assert_allclose(row["mean"], own["mean"], rtol=1e-6, atol=1e-6)
        for level, bounds in row["intervals"].items():
            for end in ("lower", "upper"):
                np.testing.assert_allclose(bounds[end], own["intervals"][level][end], rtol=1e-6, atol=1e-6)
        if "samples" in row:
            np.testing.assert_allclose(row["samples"], own["samples"], rtol=1e-6, atol=1e-6)


def tables(*, known: bool = False) -> list[pd.DataFrame]:
    """Tables of one name and other rows, of new names that two requests share, of other lengths, ends and orders."""
    whole = sales(150, ("north", "south"), seed=5, known=known)
    north, south = (whole[whole["unique_id"] == name] for name in ("north", "south"))
    frames = [
        north[:100], north[:93], pd.concat([south[:80], north[:90]]), south[20:140].assign(unique_id="new"),
        north[10:60].assign(unique_id="new"), north[110:150], south[100:103],
    ]  # fmt: skip
    return [without_last(f, 7) if known and len(f) > 20 else f for f in frames]


def without_last(frame: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return a table whose last rows of each series hold what is known ahead alone."""
    left = frame.groupby("unique_id").cumcount(ascending=False)
    return frame.assign(y=frame["y"].where(left >= n))


def test_together_is_one_by_one() -> None:  # for every forecaster: tests/contracts/test_together.py
    model = forecaster_class("Linear")(h=7).fit(Panel.from_frame(sales()))
    requests = shared([asked(model, frame, samples=3) for frame in tables()])
    assert len({request.key for request in requests}) == 1
    together = forecast_all(requests)
    assert [outcome.shared for outcome in together] == [len(requests)] * len(requests)
    for request, outcome in zip(requests, together, strict=True):
        close(forecast_all([request])[0], outcome)


def test_a_forecaster_that_reads_other_series_is_asked_alone() -> None:
    kind = forecaster_class("Conformal")
    panel = Panel.from_frame(sales())
    model = kind(**{**kind.quick, "h": 7}, method="adaptive")
    for one in (model, forecaster_class("Ensemble")([model, "SeasonalES"], h=7)):
        assert asked(one.fit(panel), tables()[0]).key is None


def test_weights_of_attention_together_and_alone() -> None:
    kind = forecaster_class("Attention")
    model = kind(**{**kind.quick, "h": 3}).fit(Panel.from_frame(sales()))
    frames = tables()[:2]
    requests = shared([asked(model, frame, attention=True) for frame in frames])
    for frame, together, request in zip(frames, forecast_all(requests), requests, strict=True):
        (alone,) = forecast_all([request])
        expected = model.predict(frame, attention=True).extras["attention"]
        for outcome in (together, alone):
            assert outcome.answer is not None
            got = np.array([own["weights"] for own in outcome.answer["attention"]])
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


def test_alone_is_what_python_says() -> None:
    model = forecaster_class("SeasonalES")(h=7).fit(Panel.from_frame(sales()))
    for frame in tables():
        (outcome,) = forecast_all([asked(model, frame)])
        expected = model.predict(frame)
        assert outcome.answer is not None
        got = np.array([row["mean"] for row in outcome.answer["forecasts"]])
        np.testing.assert_array_equal(got, expected.mean[..., 0])
        assert [row.get("note", "") for row in outcome.answer["forecasts"]] == expected.note_texts()


def test_known_future_together_and_one_that_lacks_it(models: dict[str, Forecaster]) -> None:
    model = models["promo"]
    requests = shared([asked(model, frame) for frame in tables(known=True)])
    together = forecast_all(requests[:-1])
    assert [outcome.shared for outcome in together] == [len(requests) - 1] * (len(requests) - 1)
    everything = forecast_all(requests)  # the last one has no rows ahead: all are looked at one by one
    assert [outcome.error is None for outcome in everything] == [True] * (len(requests) - 1) + [False]
    for one, other in zip(together, everything, strict=False):
        close(one, other)


def test_a_bad_request_does_not_spoil_the_others(models: dict[str, Forecaster]) -> None:
    frames = tables()[:2]
    frames.append(pd.concat([frames[0], frames[0][-1:]]))  # one time comes twice
    good, also, bad = forecast_all(shared([asked(models["naive"], frame) for frame in frames]))
    assert good.error is None
    assert also.error is None
    assert "more than once" in str(bad.error)


@pytest.mark.parametrize(
    "change",
    [
        {"ds": "2024-01-01T00:00:00Z"}, {"ds": "2024-01"}, {"ds": "now"}, {"ds": "05/06/2024"}, {"ds": "9999-12-31"},
        {"y": "1,5"}, {"y": True}, {"y": float("inf")}, {"unique_id": None}, {"unique_id": " "},
    ],
    ids=str,
)  # fmt: skip
def test_rows_with_something_to_find_out_are_read_apart(models: dict[str, Forecaster], change: dict[str, Any]) -> None:
    rows = records(sales(20, ("x",)))
    rows[3] |= change
    columns = columns_of(rows, None, LIMITS)
    assert Asked.of(Served("m", "1", models["naive"], b""), Settings(), columns, LIMITS).key is None


class Slow:
    """Work that waits for a sign, and remembers what it got."""

    def __init__(self) -> None:
        self.go, self.batches = threading.Event(), []  # type: ignore[var-annotated]

    def __call__(self, requests: Sequence[Asked]) -> list[Outcome]:
        self.batches.append(len(requests))
        assert self.go.wait(10)
        return [Outcome({"rows": request.rows}) for request in requests]


def test_what_waits_is_taken_together_up_to_a_limit(models: dict[str, Forecaster]) -> None:
    work, naive, other = Slow(), models["naive"], models["counted"]
    batcher = Batcher(Limits(batch=3, waiting=7), work)
    frames = [sales(n, ("x",)) for n in range(10, 18)]
    requests = shared([asked(naive, frame) for frame in frames[:7]])
    rows = [{"ds": k, "y": 1.0} for k in range(9)]
    stranger = Asked.of(Served("c", "1", other, b""), Settings(), columns_of(rows, None, LIMITS), LIMITS)

    async def run() -> list[Outcome]:
        first = asyncio.create_task(batcher.submit(requests[0]))
        await asyncio.sleep(0.05)  # the worker is busy with it
        tasks = [asyncio.create_task(batcher.submit(r)) for r in (*requests[1:3], stranger, *requests[3:])]
        await asyncio.sleep(0.05)
        with pytest.raises(RequestError, match="7 requests are waiting already") as busy:
            await batcher.submit(requests[0])
        assert (busy.value.status, busy.value.after) == (503, 1)
        work.go.set()
        return await asyncio.gather(first, *tasks)

    outcomes = asyncio.run(run())
    batcher.close()
    assert work.batches == [1, 3, 1, 3]
    assert [o.answer["rows"] for o in outcomes if o.answer] == [10, 11, 12, 9, 13, 14, 15, 16]
    with pytest.raises(RequestError, match="stopping"):
        asyncio.run(batcher.submit(requests[0]))


def test_no_answer_in_time(models: dict[str, Forecaster]) -> None:
    work = Slow()
    batcher = Batcher(Limits(seconds=0.05), work)
    with pytest.raises(RequestError, match="no answer within") as late:
        asyncio.run(batcher.submit(asked(models["naive"], sales(9, ("x",)))))
    assert late.value.status == 503
    work.go.set()
    batcher.close()


def test_an_error_of_the_work_reaches_who_asked(models: dict[str, Forecaster]) -> None:
    def broken(_: Sequence[Asked]) -> list[Outcome]:
        raise MemoryError

    batcher = Batcher(LIMITS, broken)
    for _ in range(2):  # the worker is still there
        assert isinstance(asyncio.run(batcher.submit(asked(models["naive"], sales(9, ("x",))))).error, MemoryError)
    batcher.close()
