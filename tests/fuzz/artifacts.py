"""Edits of saved forecasters with the checksums made anew: each is refused in one line, or forecasts finite figures.

    python tests/fuzz/artifacts.py --seconds 600 --seed 0 [--only LSTM]

``edits(files, rng, other)`` yields the edits of one saved forecaster, ``attempt(folder, panel)`` loads and forecasts
in a process of its own and says how that ended. Exit code 1 where anything was found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

SETTINGS, STATE, MANIFEST = "settings.json", "state.safetensors", "manifest.json"
LIMIT = 2.0
"""Seconds of computing that loading and forecasting may take."""
HANGS = 20
"""Seconds after which it is stopped."""
MEMORY = 200 << 20
"""Bytes that it may take."""
DEEP = 100_000
_RAW = "@raw@{}@"

Files = dict[str, bytes]


@dataclass(frozen=True)
class Edit:
    """One edit: what was done, and the files afterwards, or what else is to be done to the folder."""

    name: str
    files: Files
    then: Callable[[Path], object] | None = None

    def write(self, folder: Path) -> None:
        """Write the files to a new folder."""
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        if self.then is not None:
            self.then(folder)


# ------------------------------------------------------------------------- values
def raw(text: str) -> str:
    """Return a value that stands in a JSON file as this very text."""
    return _RAW.format(text.encode().hex())


def dumped(value: Any) -> bytes:
    """Return JSON in which the values of :func:`raw` are texts of their own."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return re.sub(r'"@raw@([0-9a-f]*)@"', lambda m: bytes.fromhex(m[1]).decode(), text).encode()


LEAVES: dict[str, Any] = {
    "null": None, "true": True, "-1": -1, "0": 0, "3": 3, "1000000": 10**6, "10^12": 10**12,
    "10^400": raw("1" + "0" * 400),
    "10^5000": raw("1" * 5000), "1.5": 1.5, "-1e308": -1e308, "text": "x", "empty text": "", "nul": "\0", "list": [],
    "dict": {}, "list of one": [1], "NaN": raw("NaN"), "Infinity": raw("Infinity"), "1e999": raw("1e999"),
    "nan": {"__float__": "nan"}, "inf": {"__float__": "inf"}, "float of text": {"__float__": "x"},
    "float of list": {"__float__": [1]}, "tuple of number": {"__tuple__": 3}, "tuple": {"__tuple__": [1, "a"]},
    "deep": raw("[" * DEEP + "]" * DEEP), "less deep": raw("[" * 900 + "]" * 900), "surrogate": raw('"\\ud800"'),
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places of everything in a JSON value, the outermost first."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from places(item, (*path, k))


def spread(found: list[Any], kind: Callable[[Any], Any], rng: random.Random, most: int) -> list[Any]:
    """Return at most so many of each kind, in order."""
    groups: dict[Any, list[Any]] = {}
    for one in found:
        groups.setdefault(kind(one), []).append(one)
    kept = [one for group in groups.values() for one in rng.sample(group, min(most, len(group)))]
    return [one for one in found if any(one is k for k in kept)]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a place."""
    for key in path:
        value = value[key]
    return value


def changed(document: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    """Return a copy, in which ``change(container, key)`` was done at a place."""
    copy = {"": json.loads(json.dumps(document))}
    path = ("", *path)
    change(at(copy, path[:-1]), path[-1])
    return copy.get("")


def json_edits(document: Any, rng: random.Random) -> Iterator[tuple[str, Any]]:
    """Yield edits of a JSON document: every leaf and every container, of the same kind at most one."""
    found = spread(list(places(document)), lambda p: tuple("*" if isinstance(k, int) else k for k in p), rng, 1)
    for path in found:
        here, label = at(document, path), ".".join(map(str, path)) or "all"
        for name, new in LEAVES.items():
            if new != here or type(new) is not type(here):
                yield f"{label} = {name}", changed(document, path, lambda c, k, new=new: c.__setitem__(k, new))
        if path:
            yield f"{label} removed", changed(document, path, lambda c, k: c.__delitem__(k))
        if isinstance(here, list) and here:
            yield f"{label} doubled", changed(document, path, lambda c, k: c.__setitem__(k, c[k] * 2))
            yield f"{label} one less", changed(document, path, lambda c, k: c[k].pop())
            yield f"{label} reversed", changed(document, path, lambda c, k: c[k].reverse())
        if isinstance(here, dict):
            yield f"{label} with more", changed(document, path, lambda c, k: c[k].update(surplus=1))
        if isinstance(here, str):
            yield f"{label} twice", changed(document, path, lambda c, k: c.__setitem__(k, c[k] * 2))
        if isinstance(here, (int, float)) and not isinstance(here, bool):
            yield f"{label} + 1", changed(document, path, lambda c, k: c.__setitem__(k, c[k] + 1))
            yield f"{label} x -1", changed(document, path, lambda c, k: c.__setitem__(k, -c[k]))


# ------------------------------------------------------------------------- arrays
def _filled(value: Any, number: Any) -> np.ndarray:
    return np.full_like(value, number)


def _first(value: np.ndarray, number: Any) -> np.ndarray:
    made = value.copy()
    made.reshape(-1)[:1] = number
    return made


def _last(value: np.ndarray, number: Any) -> np.ndarray:
    made = value.copy()
    made.reshape(-1)[-1:] = number
    return made


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flat": lambda a: a.reshape(-1), "one axis more": lambda a: a[None], "transposed": lambda a: a.T,
    "one less": lambda a: a[:-1] if a.ndim else a, "twice": lambda a: np.concatenate([a, a]) if a.ndim else a,
    "empty": lambda a: a.reshape(-1)[:0], "none of it": lambda a: a[:0] if a.ndim else a,
    "last axis one less": lambda a: a[..., :-1] if a.ndim else a,
    "a number": lambda a: a.reshape(-1)[:1].sum().astype(a.dtype), "reversed": lambda a: a[::-1] if a.ndim else a,
}  # fmt: skip
FLOATS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "first nan": lambda a: _first(a, np.nan), "last nan": lambda a: _last(a, np.nan),
    "nan": lambda a: _filled(a, np.nan),
    "first inf": lambda a: _first(a, np.inf), "inf": lambda a: _filled(a, -np.inf), "zeros": lambda a: _filled(a, 0),
    "huge": lambda a: _filled(a, np.finfo(a.dtype).max), "tiny": lambda a: _filled(a, np.finfo(a.dtype).tiny),
    "x -1": lambda a: -a, "1e30": lambda a: _filled(a, 1e30), "huge first": lambda a: _first(a, np.finfo(a.dtype).max),
    "as whole numbers": lambda a: np.nan_to_num(a).astype(np.int64), "as other floats": lambda a: a.astype(
        np.float32 if a.dtype == np.float64 else np.float64),
}  # fmt: skip
WHOLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zeros": lambda a: _filled(a, 0), "most": lambda a: _filled(a, np.iinfo(a.dtype).max),
    "least": lambda a: _filled(a, np.iinfo(a.dtype).min), "first most": lambda a: _first(a, np.iinfo(a.dtype).max),
    "last least": lambda a: _last(a, np.iinfo(a.dtype).min), "+ 1": lambda a: a + np.ones_like(a),
    "first 10^6": lambda a: _first(a, min(10**6, np.iinfo(a.dtype).max)), "7": lambda a: _filled(a, 7),
    "as floats": lambda a: a.astype(np.float64),
    "as shorter": lambda a: a.astype(np.int32 if a.dtype == np.int64 else np.int64),
}  # fmt: skip


def array_edits(arrays: dict[str, np.ndarray], rng: random.Random) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield edits of the arrays: every kind of name, its values, its type and its shape."""
    names = spread(list(arrays), lambda name: re.sub(r"\d+", "#", name), rng, 1)
    for name in names:
        here = arrays[name]
        kinds = FLOATS if here.dtype.kind == "f" else WHOLES if here.dtype.kind in "iu" else {}
        for label, change in {**SHAPES, **kinds}.items():
            with np.errstate(all="ignore"):
                new = np.array(change(here), order="C")
            if new.shape != here.shape or new.dtype != here.dtype or new.tobytes() != here.tobytes():
                yield f"{name}: {label}", {**arrays, name: new}
        yield f"{name}: as flags", {**arrays, name: np.array(np.nan_to_num(here) > 0)}
        rest = {other: value for other, value in arrays.items() if other != name}
        yield f"{name}: gone", rest
        yield f"{name}: renamed", {**rest, f"{name}x": here}
        other = rng.choice(list(arrays))
        yield f"{name}: swapped with {other}", {**arrays, name: arrays[other], other: here}
    yield "one array more", {**arrays, "surplus": np.zeros(3)}
    yield "no arrays", {}


def _safetensors(header: bytes, data: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def header_edits(state: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield edits of the header of a safetensors file."""
    size = struct.unpack("<Q", state[:8])[0]
    text, data = state[8 : 8 + size], state[8 + size :]
    header = json.loads(text)
    yield "header of 2^63 bytes", struct.pack("<Q", 2**63) + state[8:]
    yield "header of 2^40 bytes", struct.pack("<Q", 2**40) + state[8:]
    yield "header of no bytes", struct.pack("<Q", 0) + state[8:]
    yield "header of one byte less", struct.pack("<Q", size - 1) + state[8:]
    yield "header that is deep", _safetensors(b"[" * DEEP + b"]" * DEEP, data)
    yield "header that is a list", _safetensors(b"[]", data)
    yield "header twice the keys", _safetensors(text.rstrip()[:-1] + b"," + text.lstrip()[1:], data)
    yield "header that is no text", _safetensors(b"\xff" * size, data)
    yield "bytes at the end", state + b"\0" * 8
    yield "a metadata entry", _safetensors(json.dumps({"__metadata__": {"a": "b"}, **header}).encode(), data)
    yield "a metadata number", _safetensors(json.dumps({"__metadata__": 3, **header}).encode(), data)
    for name in list(header)[:2]:
        for label, new in {
            "of 2^62 rows": {"shape": [2**62]}, "of -1 rows": {"shape": [-1]},
            "of 2^62 empty rows": {"shape": [2**62, 0]},
            "of a shape of text": {"shape": "x"}, "of a shape of halves": {"shape": [1.5]},
            "as BF16": {"dtype": "BF16"},
            "as F8": {"dtype": "F8_E4M3"}, "as X": {"dtype": "X"}, "as I4": {"dtype": 3},
            "beyond the end": {"data_offsets": [0, len(data) + 8]}, "from the end": {"data_offsets": [8, 0]},
            "at -8": {"data_offsets": [-8, 0]}, "at 2^63": {"data_offsets": [2**63, 2**64]},
            "at a text": {"data_offsets": "x"},
            "at nothing": {"data_offsets": []},
        }.items():  # fmt: skip
            yield f"{name} {label}", _safetensors(json.dumps({**header, name: {**header[name], **new}}).encode(), data)


# ------------------------------------------------------------------------- all edits
def signed(files: Files) -> Files:
    """Return the files with the checksums of their manifest made anew."""
    listed = json.loads(files[MANIFEST])
    for name in (SETTINGS, STATE):
        if name in files:
            listed["files"][name] = hashlib.sha256(files[name]).hexdigest()
    return {**files, MANIFEST: json.dumps(listed, indent=1).encode()}


def edits(files: Files, rng: random.Random, other: Files | None = None) -> Iterator[Edit]:
    """Yield edits of a saved forecaster.

    ``files`` are the three of its folder, ``other`` those of a forecaster of another class.
    """
    from safetensors.numpy import load, save

    for name, document in json_edits(json.loads(files[SETTINGS]), rng):
        yield Edit(f"settings: {name}", signed({**files, SETTINGS: dumped(document)}))
    for name, arrays in array_edits(load(files[STATE]), rng):
        yield Edit(f"state: {name}", signed({**files, STATE: save(arrays)}))
    for name, state in header_edits(files[STATE]):
        yield Edit(f"state: {name}", signed({**files, STATE: state}))
    for name, document in json_edits(json.loads(files[MANIFEST]), rng):
        yield Edit(f"manifest: {name}", {**files, MANIFEST: dumped(document)})
    text = files[SETTINGS]
    for name, new in {
        "every key twice": text.rstrip()[:-1] + b"," + text.lstrip()[1:], "not UTF-8": text.replace(b'"', b'"\xff', 4),
        "UTF-16": text.decode().encode("utf-16"), "a mark of bytes": b"\xef\xbb\xbf" + text, "empty": b"",
        "brace": b"{" * DEEP,
        "two documents": text + text, "blanks": text + b" " * (64 << 20),
    }.items():  # fmt: skip
        yield Edit(f"settings: {name}", signed({**files, SETTINGS: new}))
    for name, content in files.items():
        for share in (0, 0.1, 0.5, 0.9, 0.999):
            short = {**files, name: content[: int(share * len(content))]}
            yield Edit(f"{name} cut at {share}", short if name == MANIFEST else signed(short))
        yield Edit(f"{name} is a folder", files, lambda f, name=name: ((f / name).unlink(), (f / name).mkdir()))
        yield Edit(f"{name} is a pipe", files, lambda f, name=name: ((f / name).unlink(), os.mkfifo(f / name)))
        yield Edit(f"{name} of 10^11 bytes", files, lambda f, name=name: os.truncate(f / name, 10**11))
        yield Edit(
            f"{name} has no end", files, lambda f, name=name: ((f / name).unlink(), (f / name).symlink_to("/dev/zero"))
        )
        yield Edit(f"{name} is gone", files, lambda f, name=name: (f / name).unlink())
    if other is not None:
        for name in (SETTINGS, STATE):
            yield Edit(f"{name} of another", signed({**files, name: other[name]}))
        yield Edit("manifest of another", signed({**files, MANIFEST: other[MANIFEST]}))


# ------------------------------------------------------------------------- attempts
@dataclass(frozen=True)
class Ending:
    """How an attempt ended: "refused", "forecast", or what must not be."""

    kind: str
    text: str
    seconds: float = 0.0
    memory: int = 0

    @property
    def ok(self) -> bool:
        """Whether it is as promised."""
        return self.kind in ("refused", "forecast") and self.seconds <= LIMIT and self.memory <= MEMORY

    def __str__(self) -> str:
        return f"{self.kind} in {self.seconds:.2f} s, {self.memory >> 20} MB: {self.text}"


def tried(folder: Path, panel: Any) -> tuple[str, str]:
    """Load and forecast; return how it ended."""
    import foretide as ft
    from foretide.errors import ArtifactError, ForetideError

    def where(error: BaseException) -> str:
        at = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)][-3:]
        return f"{type(error).__name__}: {str(error)[:150]} ({' < '.join(reversed(at))})"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = ft.load(folder)
        except ArtifactError as error:
            named = str(folder) in str(error)
            return ("refused", str(error)[:200]) if named else ("no name", str(error)[:200])
        except MemoryError as error:
            return "memory", where(error)
        except Exception as error:
            return "foreign at load", where(error)
        try:
            forecast = model.predict(panel)
            repr(model), model.name, model.settings(), model.choices(), forecast.to_frame(), forecast.sample(n=5)
        except ForetideError as error:
            return "refused", f"at predict: {type(error).__name__}: {error}"[:200]
        except MemoryError as error:
            return "memory", where(error)
        except Exception as error:
            return "foreign at predict", where(error)
    if forecast.mean.shape != (panel.n_entities, model.h, panel.n_targets):
        return "shape", str(forecast.mean.shape)
    if not np.isfinite(forecast.mean).all():
        return "not finite", "the mean"
    if forecast.quantiles is not None and not np.isfinite(forecast.quantiles).all():
        return "not finite", "the quantiles"
    return "forecast", ""


def attempt(folder: Path, panel: Any) -> Ending:
    """Load and forecast in a copy of this process, with little memory and time."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            signal.alarm(HANGS)
            with open("/proc/self/statm") as file:
                size = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + (2 << 30),) * 2)
            begin, had = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            kind, text = tried(folder, panel)
            took = time.process_time() - begin, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - had) << 10
            os.write(writing, json.dumps([kind, text, *took]).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(writing)
    got = b""
    while select.select([reading], [], [], HANGS + 20)[0] and (part := os.read(reading, 1 << 16)):
        got += part
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not got:
        return Ending("hung" if os.WTERMSIG(status) == signal.SIGALRM else "died", f"status {status}", HANGS)
    kind, text, seconds, memory = json.loads(got)
    return Ending(kind, text, seconds, memory)


# ------------------------------------------------------------------------- models
def example() -> Any:
    """Return a small panel with gaps, a past and a known-future column, of two series."""
    import pandas as pd

    import foretide as ft

    rng, n = np.random.default_rng(3), 70
    parts = []
    for k, shop in enumerate(("a", "b")):
        days = pd.date_range("2024-01-01", periods=n, freq="D")
        y = 20 + 5 * k + 4 * np.sin(np.arange(n) * 2 * np.pi / 7) + rng.normal(size=n)
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": shop,
                    "ds": days,
                    "y": np.rint(y),
                    "p": rng.normal(size=n),
                    "f": (np.arange(n) % 9 == 0) * 1.0,
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[[5, 80], "y"] = np.nan
    frame.loc[frame.groupby("unique_id").tail(3).index, ["y", "p"]] = np.nan
    return ft.Panel.from_frame(frame, past="p", future="f", missing="mask")


def models() -> dict[str, Callable[[], Any]]:
    """Return name -> an unfitted model with few steps; those of other packages where these are installed."""
    from foretide.forecasters.table import EVERY, forecaster_class

    further = {
        "Attention-gaussian": ("Attention", {"head": "gaussian", "level": "base"}),
        "LSTM-calendar": ("LSTM", {"calendar": "auto", "known": "on", "head": "nb"}),
        "Ensemble-networks": ("Ensemble", {"models": [{"VAR": {"order": 1}}, {"LSTM": {"epochs": 1, "hidden": 4}}]}),
        "Theta": ("Stats", {"model": "Theta"}),
        "CalendarES-de": ("CalendarES", {"calendar": {"features": ["weekday"], "country": "DE"}}),
    }  # fmt: skip
    from foreign import ADAPTED, PRESENT

    adapters = {name for _, name, _ in ADAPTED.values()}
    names = {name: (name, {}) for name in EVERY if name not in adapters}

    def made(name: str, own: dict[str, Any]) -> Any:
        kind = forecaster_class(name)
        return kind(**{"h": 3, **kind.quick, **own})

    foreign = {case: partial(maker, 3) for case, maker in PRESENT.items()}
    return {case: partial(made, *told) for case, told in (names | further).items()} | foreign


def saved(case: str, panel: Any, folder: Path) -> Files:
    """Fit a model, save it, and return its files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models()[case]().fit(panel).save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def attack(
    case: str, panel: Any, place: Path, other: Files, rng: random.Random, share: float, seconds: float, named: str = ""
) -> Iterator[tuple[str, Ending]]:
    """Yield how attempts at the edits of a model end, first that of none; a share of them, as long as there is time."""
    files = saved(case, panel, place / case)
    end = time.monotonic() + seconds
    for edit in (Edit("nothing", files), *edits(files, rng, other)):
        if time.monotonic() > end and edit.name != "nothing":
            return
        if edit.name == "nothing" or (rng.random() < share and re.search(named, edit.name)):
            edit.write(place / "edited")
            yield edit.name, attempt(place / "edited", panel)
            shutil.rmtree(place / "edited")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the edits, at random")
    parser.add_argument("--only", action="append", help="a model; all by default")
    parser.add_argument("--named", default="", help="only edits whose name has this regular expression in it")
    parser.add_argument("--brief", action="store_true", help="a few edits of a few models that load nothing heavy")
    chosen = parser.parse_args()
    sys.path.append(str(Path(__file__).parents[1] / "support"))
    if chosen.brief:
        chosen.only, chosen.share = chosen.only or ["SeasonalNaive", "Linear", "CalendarES"], 0.02
    rng, panel, found = random.Random(chosen.seed), example(), 0
    counts, worst, cases = dict[str, int](), (0.0, 0), chosen.only or list(models())
    with tempfile.TemporaryDirectory() as place:
        other = saved("Drift", panel, Path(place, "other"))
        for case in cases:
            seconds = chosen.seconds / len(cases)
            for name, ending in attack(case, panel, Path(place), other, rng, chosen.share, seconds, chosen.named):
                counts[ending.kind] = counts.get(ending.kind, 0) + 1
                worst = max(worst[0], ending.seconds), max(worst[1], ending.memory)
                if not ending.ok or (name == "nothing" and ending.kind != "forecast"):
                    found += 1
                    print(f"{case}: {name}: {ending}", flush=True)
    print(f"{sum(counts.values())} inputs: {counts}; slowest {worst[0]:.2f} s, most {worst[1] >> 20} MB")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
