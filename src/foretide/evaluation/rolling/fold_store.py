"""Results of a backtest per fold on disk, so that an interrupted one resumes where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foretide.data.files import file_name, storing, write_whole
from foretide.data.parquet import with_long_lists, without_long_lists
from foretide.data.tensors import DTYPES, map_tensors, write_tensors
from foretide.errors import ArtifactError, ConfigError
from foretide.evaluation.cards import large
from foretide.evaluation.cards.account import Account
from foretide.evaluation.metrics.cost import Cost
from foretide.forecasters.answer import Note
from foretide.forecasters.artifact import from_json, to_json
from foretide.training.saved import arrays_of, facts_of, rebuilt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from foretide.typing import Array, Json

ABOUT, BLOCKS = "backtest.json", "folds"
KNOWN = tuple(map(np.dtype, DTYPES.values()))
LISTS = "lists"
"""The array of a result that holds long lists of its JSON file."""


@dataclass(frozen=True, eq=False)
class BlockResult:
    """What one model forecast for the folds that share a fit.

    Attributes
    ----------
    entity, cutoff : int arrays ``[W]``
        The windows, in terms of the panel backtested.
    mean : float array ``[W, H, D]``
    quantiles : float array ``[W, H, D, Q]`` or None
    levels, quantile_levels : tuples of float
        Of the quantiles.
    fit, predict : Cost
    notes : tuple of Note
        What there is to know of single windows.
    account : dict
        What the fitted model says of itself; see :class:`foretide.evaluation.cards.account.Account`.
    """

    entity: NDArray[np.int64]
    cutoff: NDArray[np.int64]
    mean: NDArray[np.floating]
    quantiles: NDArray[np.floating] | None
    levels: tuple[float, ...]
    quantile_levels: tuple[float, ...]
    fit: Cost
    predict: Cost
    notes: tuple[Note, ...] = ()
    account: Account = field(default_factory=lambda: Account())


class FoldStore:
    """A folder of results, one file per model and fit.

    Parameters
    ----------
    folder : path
    about : mapping
        What the results depend on besides the model: data, folds, levels. A folder that says otherwise is refused.
    overwrite : bool
        Throw away what such a folder holds.
    """

    def __init__(self, folder: str | os.PathLike[str], about: Mapping[str, object], *, overwrite: bool = False) -> None:
        self.folder = Path(folder)
        with storing(self.folder, "Nothing was changed.", deed="keep a backtest in"):
            self._open(json.loads(json.dumps(to_json(dict(about)))), overwrite)

    def _open(self, told: Json, overwrite: bool) -> None:
        path = self.folder / ABOUT
        if path.is_file():
            known = _read_json(path)
            differs = sorted(k for k in told.keys() | known.keys() if told.get(k) != known.get(k))
            if differs and not overwrite:
                raise ConfigError(
                    f"{self.folder} holds another backtest: it differs in {', '.join(differs)}. Choose another folder, "
                    "or throw it away with overwrite=True."
                )
            if differs:
                shutil.rmtree(self.folder / BLOCKS, ignore_errors=True)
        elif self.folder.exists() and (not self.folder.is_dir() or (self.folder / BLOCKS).exists()):
            raise ConfigError(f"{self.folder} exists and is no folder of a backtest. Choose another one.")
        (self.folder / BLOCKS).mkdir(parents=True, exist_ok=True)
        text = json.dumps(told, indent=1)
        write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))

    def load(self, key: str) -> BlockResult | None:
        """Return a result that was written whole, its large arrays mapped from the file; None where there is none.

        Parameters
        ----------
        key : str

        Returns
        -------
        BlockResult or None
        """
        path = self.folder / BLOCKS / f"{key}.safetensors"
        if not path.is_file():
            return None
        try:
            arrays = map_tensors(path)
            about = from_json(_read_json(path.with_suffix(".json")))
        except (FileNotFoundError, ArtifactError):
            return None
        about = with_long_lists(about, arrays.pop(LISTS, np.zeros(0, dtype=np.uint8)).tobytes())
        arrays = {name: held if held.nbytes > large.IN_MEMORY else held.copy() for name, held in arrays.items()}
        notes = tuple(
            Note(kind, text, np.array(where, dtype=np.int64), tuple(columns))
            for kind, text, where, columns in about["notes"]
        )
        costs = {name: Cost(*about[name]) for name in ("fit", "predict")}
        return rebuilt(BlockResult, arrays, {**about, **costs, "notes": notes})

    def save(self, key: str, result: BlockResult) -> None:
        """Write a result; its file appears whole or not at all.

        Parameters
        ----------
        key : str
        result : BlockResult
        """
        about = facts_of(result) | {
            "fit": astuple(result.fit), "predict": astuple(result.predict),
            "notes": [[note.kind, note.text, note.windows, note.columns] for note in result.notes],
        }  # fmt: skip
        about, lists = without_long_lists(about)
        arrays = arrays_of(result) | ({LISTS: np.frombuffer(lists, dtype=np.uint8)} if lists else {})
        known = {name: array if array.dtype in KNOWN else array.astype(np.float64) for name, array in arrays.items()}
        folder = self.folder / BLOCKS
        write_whole(folder / f"{key}.json", lambda part: part.write_text(json.dumps(to_json(about)), encoding="utf-8"))
        write_whole(folder / f"{key}.safetensors", lambda part: write_tensors(part, known))


def key_of(name: str, described: Mapping[str, object]) -> str:
    """Return the file name of a model's result, from its name and everything that decides the result.

    Parameters
    ----------
    name : str
    described : mapping

    Returns
    -------
    str
    """
    text = json.dumps(to_json(dict(described)), sort_keys=True)
    return f"{file_name(name)}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def digest_of_arrays(arrays: Mapping[str, Array]) -> str:
    """Return a digest of named arrays.

    Parameters
    ----------
    arrays : mapping

    Returns
    -------
    str
    """
    told = hashlib.sha256()
    for name in sorted(arrays):
        told.update(name.encode())
        told.update(np.ascontiguousarray(arrays[name]).tobytes())
    return told.hexdigest()


def _read_json(path: Path) -> Json:
    try:
        found: Json = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read ({error}). Choose another folder, or delete that one.") from error
    return found
