"""Forecasts from a file that `model.export_onnx` wrote, with numpy and onnxruntime alone: no torch, no foretide.

    python run_onnx.py model.onnx history.json

`history.json` holds `series`, `last` (time of the last observed step), and `columns`: name -> values, oldest first.
Targets and past columns end at `last`, known-future ones `h` steps later; null is a gap. More rows than the lookback
do no harm, they fill gaps at its beginning.
"""

import json
import sys
from statistics import NormalDist

import numpy as np
import onnxruntime


class Runner:
    """One exported file."""

    def __init__(self, path, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options)
        self.about = json.loads(self.session.get_modelmeta().custom_metadata_map["foretide"])

    def inputs(self, series, last, columns, static=None, base=None, step=None, times=None):
        """Inputs of one forecast, each without the axis of the batch.

        Where steps differ in length (`step_seconds` is null: months), `step` and the `times` of lookback and horizon
        must be given. `base` is asked for by LAVAR and by networks on a base.
        """
        about, found = self.about, {}
        ahead = about["h"]
        if series not in about["ids"]:
            raise ValueError(f"The file forecasts {about['ids']}, not {series!r}.")
        if step is None and about["step_seconds"]:
            since = np.datetime64(last, "s") - np.datetime64(about["start"], "s")
            step = round(since / np.timedelta64(1, "s") / about["step_seconds"])
        for name, port in about["inputs"].items():
            size = port["shape"][1:]
            if name in ("past", "known"):
                rows = [self._column(columns[c], size[0], ahead * (name == "known"), c) for c in port["columns"]]
                found[name] = np.stack(rows, axis=1)
            elif name == "calendar":
                when = times
                if when is None:
                    offsets = np.arange(1 - (size[0] - ahead), ahead + 1) * about["step_seconds"]
                    when = np.datetime64(last, "s") + offsets.astype("timedelta64[s]")
                found[name] = calendar(port["columns"], np.asarray(when, "datetime64[s]"), columns)
            else:
                values = {"entity": about["ids"].index(series), "step": step, "static": static, "base": base}
                if values[name] is None:
                    raise ValueError(f"The file also reads {name}: {port['meaning']}.")
                found[name] = np.asarray(values[name])
            found[name] = found[name].astype(port["dtype"]).reshape(size)
        return found

    def forecast(self, *inputs):
        """Outputs by name, for the inputs of any number of forecasts."""
        feed = {name: np.stack([one[name] for one in inputs]) for name in self.about["inputs"]}
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, feed), strict=True))

    def quantile(self, outputs, level):
        """Quantile of every step, NaN for families that numpy cannot compute: SciPy has them, see docs/export.md."""
        out = np.full(outputs["mean"].shape, np.nan)
        for own in self.about["distribution"]:
            at = [self.about["targets"].index(target) for target in own["targets"]]
            value = {name: outputs[output] for name, output in own["parameters"].items()}
            if own["family"] == "normal":
                out[..., at] = value["location"] + value["sd"] * NormalDist().inv_cdf(level)
            elif own["family"] == "quantiles" and own["levels"][0] <= level <= own["levels"][-1]:
                high = max(1, int(np.searchsorted(own["levels"], level)))
                share = (level - own["levels"][high - 1]) / (own["levels"][high] - own["levels"][high - 1])
                held = value["quantiles"]
                out[..., at] = (1 - share) * held[..., high - 1] + share * held[..., high]
        return out

    @staticmethod
    def _column(values, size, ahead, name):
        """The last `size` values, gaps filled from the value before; those ahead must be known."""
        cells = np.array([np.nan if v is None else v for v in values], dtype=float)
        if ahead and np.isnan(cells[-ahead:]).any():
            raise ValueError(f"{name} has no value in some of the {ahead} steps ahead.")
        seen = np.maximum.accumulate(np.where(np.isnan(cells), -1, np.arange(len(cells))))
        cells = np.where(seen < 0, np.nan, cells[seen])
        return np.concatenate([np.full(max(0, size - len(cells)), np.nan), cells])[-size:]


def calendar(names, times, columns):
    """Calendar columns of some times; those of holidays are given among the columns."""
    day, month, year = (times.astype(f"datetime64[{unit}]") for unit in "DMY")
    hours = (times - day).astype(float) / 3600
    weekday = (day.astype(int) + 3) % 7  # 1970 began on a Thursday
    days_of = ((unit + 1).astype("datetime64[D]") - unit.astype("datetime64[D]") for unit in (month, year))
    in_month, in_year = (days.astype(float) for days in days_of)
    months = month.astype(int) % 12
    turn = {
        "minute": hours % 1, "hour": hours / 24, "weekhour": (weekday + hours / 24) / 7,
        "monthday": (day - month).astype(float) / in_month, "month": months / 12, "quarter": months // 3 / 4,
        "yearday": (day - year).astype(float) / in_year,
    }  # fmt: skip
    found = []
    for name in names:
        what, _, part = name.rpartition("_")
        if what in turn:
            found.append((np.sin if part == "sin" else np.cos)(2 * np.pi * turn[what]))
        elif name.startswith("weekday_"):
            found.append(weekday == ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(part))
        else:
            found.append(weekday >= 5 if name == "weekend" else np.asarray(columns[name], float)[-len(times) :])
    return np.stack(found, axis=1)


if __name__ == "__main__":
    runner = Runner(sys.argv[1])
    with open(sys.argv[2]) as file:
        asked = json.load(file)
    outputs = runner.forecast(runner.inputs(**asked))
    print(json.dumps({name: values[0].tolist() for name, values in outputs.items()}))
