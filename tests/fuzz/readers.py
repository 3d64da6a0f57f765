"""Random damage to tables and options: whatever comes in, a panel or one foretide error comes out.

    python tests/fuzz/readers.py --seconds 600 --seed 0 [--out benchmarks/results/readers.csv]

A second process reads the inputs, so that a death is seen and counted; one that takes longer than 20 seconds is
stopped and counted too. Exit code 1 where anything was found.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import random
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from fuzzing import NUMBERS, TIMES, Reading, main

BITS = (
    b'"', b'""', b"'", b"\0", b"\r", b"\n", b"\r\n", b";", b",", b"\t", b"|", b"#", b"\\", b"\xff", b"\xfe\xff",
    b"\xef\xbb\xbf", b"\xc3", b"\x80", b"\x1a", b"\xe2\x80\xa8", b"\x0b", b"=1+1", b"PAR1", b"\x1f\x8b",
    b"PK\x03\x04", b"\xed\xa0\x80",
)  # fmt: skip
OPTIONS: dict[str, tuple[Any, ...]] = {
    "sep": (",", ";", "\t", "|", "tab", ";;", "", '"', "\n", "a", "\0", "é", " "),
    "decimal": (".", ",", "x", "", ";"),
    "thousands": (".", ",", " ", "'", "\u00a0", "x", ""),
    "encoding": (
        "utf-8", "latin-1", "cp1252", "utf-16", "utf-7", "rot13", "base64", "idna", "none", "", "utf\0", "utf-32",
        "cp037",
    ),
    "time_format": ("%d.%m.%Y", "%Y-%m-%d", "%", "%Q", "", "%d/%m/%Y %H:%M", "mixed", "ISO8601", "%Y%m%d"),
    "freq": ("h", "D", "MS", "xx", 0, 1, -3, "W", "B", ""),
    "tz": ("Europe/Berlin", "UTC", "Mars", "", "+05:30"),
    "resample": ("D", "h", "MS", "zz", ""),
    "missing": ("error", "mask", "ffill", "drop"),
    "fill_gaps": (True, False),
    "backend": ("pandas", "polars", "excel"),
}  # fmt: skip


# ------------------------------------------------------------------------- inputs
def table(rng: random.Random) -> tuple[bytes, str]:
    """Return a sound CSV table of a random form, and its encoding."""
    sep = rng.choice([",", ";", "\t", "|", " "])
    comma = sep != "," and rng.random() < 0.5
    encoding = rng.choice(["utf-8", "utf-8-sig", "latin-1", "utf-16", "cp1252", "utf-8"])
    day = rng.choice(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y%m%d"])
    quoted, names = (
        rng.random() < 0.3,
        rng.choice([("unique_id", "ds", "y", "x"), ("Filiale", "Tag", "Umsätze", "Preis")]),
    )
    lines = [names]
    for shop in ("Köln", "007", "NA")[: rng.randint(1, 3)]:
        for k in range(rng.randint(0, 40)):
            stamp = time.strftime(day, time.gmtime(1_700_000_000 + 86_400 * k))
            values = [f"{rng.uniform(0, 4000):,.2f}", f"{rng.gauss(0, 1):.3f}"]
            if not rng.random() < 0.5:
                values = [v.replace(",", "") for v in values]
            if comma:
                values = [v.translate(str.maketrans(",.", ".,")) for v in values]
            lines.append((shop, stamp, *values))
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    ending = rng.choice(["\n", "\r\n", "\r"])
    csv.writer(out, delimiter=sep, quoting=quoting, lineterminator=ending).writerows(lines)
    return out.getvalue().encode(encoding, "replace"), encoding


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one to eight kinds of damage."""
    for _ in range(rng.choice([0, 1, 1, 2, 3, 8])):
        at, size = rng.randint(0, max(len(data), 1)), rng.choice([1, 2, 7, 60, 500])
        kind = rng.randrange(11)
        if kind == 0:
            data = data[:at] + bytes(rng.randrange(256) for _ in range(size)) + data[at + size :]
        elif kind == 1:
            data = data[:at] + data[at + size :]
        elif kind == 2:
            data = data[:at] + rng.choice(BITS) + data[at:]
        elif kind == 3:
            data = data[:at]
        elif kind == 4:
            data = data[:at] + data[max(0, at - size) : at] + data[at:]
        elif kind == 5 and data:
            data = bytes(b ^ (1 << rng.randrange(8)) if k == at else b for k, b in enumerate(data))
        elif kind == 6:
            data = cells_changed(data, rng)
        elif kind == 7:
            lines = data.split(b"\n")
            rng.shuffle(lines)
            data = b"\n".join(lines)
        elif kind == 8:
            data = (
                data[:at]
                + rng.choice([b"x", b"9", b",", b'"', b"1,"]) * rng.choice([300, 70_000, 1_000_000])
                + data[at:]
            )
        elif kind == 9:
            data = rng.choice([b"sep=;\n", b"# remark\n", b"\n\n", b"Title\n", b"\xef\xbb\xbf"]) + data
        elif kind == 10:
            data = data + rng.choice([data[:size], data, b"\n,,,\n", b"Total;;\n", b"\x00" * size])
    return data


def cells_changed(data: bytes, rng: random.Random) -> bytes:
    """Return the table with numbers and times of another kind in some cells."""
    for sep in rng.sample([b",", b";", b"\t", b"\n"], 4):
        cells = data.split(sep)
        if len(cells) > 3:
            for _ in range(min(rng.choice([1, 3, len(cells)]), 1000)):
                cells[rng.randrange(len(cells))] = rng.choice(NUMBERS + TIMES).encode("utf-8")
            return sep.join(cells)
    return data


def packed(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return a table as a file of a random kind, and the ending of its name."""
    kind = rng.choice(["csv", "csv", "csv", "gz", "gz", "parquet", "parquet", "zip", "bz2", "xz", "tsv", "txt"])
    if kind == "gz":
        return gzip.compress(data, mtime=0), ".csv.gz"
    if kind == "bz2":
        return bz2.compress(data), ".csv.bz2"
    if kind == "xz":
        return lzma.compress(data), ".csv.xz"
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", data)
        return out.getvalue(), ".zip"
    if kind == "parquet":
        return parquet(rng), ".parquet"
    return data, f".{kind}"


def parquet(rng: random.Random) -> bytes:
    """Return a sound Parquet file with columns of many types."""
    import numpy as np
    import pandas as pd

    n = rng.choice([0, 1, 30, 300])
    times = pd.date_range(
        "2024-01-01", periods=n, freq=rng.choice(["D", "h", "MS"]), tz=rng.choice([None, "UTC", "Europe/Berlin"])
    )
    values = np.random.default_rng(rng.randrange(1 << 30)).normal(size=n)
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": times, "y": values, "x": np.arange(n), "c": pd.Categorical(["r"] * n)}
    )
    frame["x"] = frame["x"].astype(rng.choice(["int8", "Int64", "float32", "str", "bool"]))
    if rng.random() < 0.3 and n:
        frame = frame.set_index(rng.choice([["ds"], ["unique_id", "ds"]]))
    out = io.BytesIO()
    frame.to_parquet(out, compression=rng.choice(["snappy", "gzip", None, "zstd"]))
    return out.getvalue()


def objects(rng: random.Random) -> Any:
    """Return a frame whose cells are of any kind, or no frame at all."""
    import decimal

    import numpy as np
    import pandas as pd

    if rng.random() < 0.1:
        return rng.choice([None, 5, [1, 2], {"y": [1]}, pd.Series([1.0]), np.ones(3), "x.csv", pd.DataFrame()])
    n = rng.randint(1, 12)
    odd = [*NUMBERS, *TIMES, None, np.nan, pd.NA, pd.NaT, np.inf, 1, 2.5, True, decimal.Decimal("1.5"), [1], {"a": 1},
           b"x", 1 + 2j, 10**300, pd.Timestamp("2024-01-01"), np.float32(3), object(), (1, 2)]  # fmt: skip
    pool = rng.sample(odd, rng.choice([1, 2, 4, 20]))
    days = [t.strftime(rng.choice(["%Y-%m-%d", "%d.%m.%Y"])) for t in pd.date_range("2024-01-01", periods=n)]
    days = [rng.choice(odd) if rng.random() < 0.1 else day for day in days]
    frame = pd.DataFrame({
        "unique_id": pd.Series([rng.choice(pool) if rng.random() < 0.3 else "a" for _ in range(n)], dtype=object),
        "ds": pd.Series(days, dtype=object),
        "y": pd.Series([rng.choice(pool) for _ in range(n)], dtype=object),
        "x": pd.Series([rng.choice(pool) for _ in range(n)], dtype=object),
    })  # fmt: skip
    if rng.random() < 0.2:
        frame = frame.set_index(rng.choice(["ds", "unique_id"]))
    return frame


def options(rng: random.Random) -> dict[str, Any]:
    """Return options of reading, sound and not; often the ones that a sound table needs."""
    if rng.random() < 0.6:
        names = {"id": "Filiale", "time": "Tag", "target": "Umsätze"} if rng.random() < 0.5 else {}
        return {**names, "missing": rng.choice(["error", "mask"]), "fill_gaps": rng.random() < 0.5}
    chosen = {name: rng.choice(values) for name, values in OPTIONS.items() if rng.random() < 0.12}
    if rng.random() < 0.4:
        chosen["id"] = rng.choice(
            [None, "unique_id", "Filiale", ["unique_id", "x"], ["Filiale", "Tag"], "nope", [], ""]
        )
    if rng.random() < 0.5:
        chosen["time"] = rng.choice(["ds", "Tag", "y", "nope"])
    if rng.random() < 0.5:
        chosen["target"] = rng.choice(["y", "Umsätze", ["y", "x"], [], "unique_id", "ds"])
    if rng.random() < 0.3:
        chosen["past"] = rng.choice(["rest", ["x"], ["Preis"], ["ds"]])
    return chosen


# ------------------------------------------------------------------------- reading one
def prepared(rng: random.Random, folder: Path) -> Reading:
    """Make one input; return a function that reads it and says ``used`` or ``refused``, or fails otherwise."""
    import foretide as ft
    from foretide.data.reading.checks import inspect

    chosen = options(rng)
    looks = rng.random() < 0.5
    if looks:
        chosen = {k: v for k, v in chosen.items() if k != "backend" and (k, v) != ("past", "rest")}
    if rng.random() < 0.15:
        chosen.pop("backend", None)
        frame = objects(rng)

        def act() -> bool:
            return bool(inspect(frame, **chosen).ok) if looks else bool(ft.Panel.from_frame(frame, **chosen))
    else:
        data, ending = packed(damaged(table(rng)[0], rng) if rng.random() < 0.6 else table(rng)[0], rng)
        if ending in (".parquet", ".zip") or rng.random() < 0.4:
            data = damaged(data, rng)
        path = folder / f"input{ending}"
        path.write_bytes(data)

        def act() -> bool:
            return bool(inspect(path, **chosen).ok) if looks else ft.Panel.read(path, **chosen).to_frame() is not None

    return lambda: "used" if act() else "refused"


if __name__ == "__main__":
    raise SystemExit(main(__file__, __doc__, prepared))
