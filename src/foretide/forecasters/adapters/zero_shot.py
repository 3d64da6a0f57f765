"""ZeroShot networks that forecast any series without a fit: what they share."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from foretide.data.files import at_home
from foretide.errors import ArtifactError, ConfigError
from foretide.forecasters.adapters.contexts import carried_forward, contexts_of, groups, known_contexts, level_and_scale
from foretide.forecasters.base import FitPart, Forecaster, Prediction
from foretide.forecasters.simple.baselines import check_count

if TYPE_CHECKING:
    from foretide.data.panel import Panel
    from foretide.data.windows import Windows
    from foretide.forecasters.answer import Quantiles, Traces
    from foretide.typing import Array, Floats, Json

WEIGHTS = "*.safetensors"
CONFIG = "config.json"


class ZeroShot(Forecaster):
    """A network whose weights lie in a folder; fitting only remembers which weights, by their checksum.

    Every target of every series is forecast by itself, from its last ``input_size`` values, which are put to mean 0 and
    standard deviation 1 first. Quantiles between those of the network are interpolated, and there are none outside of
    them; the mean is that of the distribution which they describe.
    """

    has_distribution = True
    past_origins = 8
    together = 32
    """Windows in one batch."""
    centred = True
    """Whether the network forecasts a shifted series as the series, shifted."""

    pretrained = True
    published: ClassVar[str]
    """A public name of such weights, for messages."""

    def __init__(self, h: int, folder: str | None, input_size: int, alias: str | None) -> None:
        super().__init__(h, alias=alias)
        folder = None if folder is None else local_folder(folder, type(self).__name__, self.published)
        lookback = check_count("input_size", input_size)
        if lookback is None:
            raise ConfigError("input_size is the number of steps looked back at; got None. Type: input_size=512")
        self.input_size, self.folder = lookback, folder
        self.checksum_ = ""

    # ---------------------------------------------------------------- what a subclass gives
    @property
    @abstractmethod
    def _place(self) -> Path:
        """The folder with the weights."""

    @property
    @abstractmethod
    def _levels(self) -> tuple[float, ...]:
        """Quantiles that :meth:`_quantiles` returns, ascending."""

    @abstractmethod
    def _quantiles(self, contexts: Floats, known: Floats | None) -> Floats:
        """Forecast contexts ``[n, L]`` with known-future columns ``[n, F, L + H]``: quantiles ``[n, H, Q]``."""

    # ---------------------------------------------------------------- the rest
    @property
    def min_history(self) -> int:
        """Rows needed up to a cutoff."""
        return 8

    @property
    def memory(self) -> int | None:
        """Rows up to a cutoff that a forecast depends on."""
        return self.input_size

    @property
    def quantile_range(self) -> tuple[float, float] | None:
        """Outermost quantiles that the network has."""
        return self._levels[0], self._levels[-1]

    @property
    def _config(self) -> Json:
        return read_config(self._place / CONFIG)

    def _fit(self, part: FitPart) -> None:
        self.checksum_ = checksum(self._place)

    def _predict(self, panel: Panel, windows: Windows, quantiles: Quantiles, traces: Traces) -> Prediction:
        if checksum(self._place) != self.checksum_:
            raise ArtifactError(
                f"The weights in {self._place} are not those that {self.name} was fitted with. Fit again."
            )
        levels, d = np.array(self._levels), panel.n_targets
        found = np.full((len(windows), self.h, d, len(levels)), np.nan)
        for length, chosen in groups(panel, windows, self.input_size, self.together):
            own = windows[chosen]
            contexts = contexts_of(panel, own, length).reshape(-1, length)
            few = np.isfinite(contexts).sum(axis=1) < self.min_history
            contexts[few] = carried_forward(contexts[few])
            known = None
            if self.uses_future and panel.future:
                known = np.repeat(known_contexts(panel, own, length, self.h), d, axis=0)
            level, scale = level_and_scale(contexts)
            level = level if self.centred else np.where(np.isnan(level), np.nan, 0.0)
            able = np.isfinite(contexts).sum(axis=1) >= self.min_history
            if able.any():
                scaled = ((contexts - level) / scale)[able]
                made = np.full((len(contexts), self.h, len(levels)), np.nan)
                made[able] = self._quantiles(scaled, None if known is None else known[able])
                made = made * scale[..., None] + level[..., None]
                found[chosen] = np.moveaxis(made.reshape(len(chosen), d, self.h, -1), 1, 2)
        found.sort(axis=-1)
        return Prediction(found @ shares(levels), between(found, levels, quantiles) if quantiles else None)

    def facts(self) -> dict[str, object]:
        """The checksum of the weights."""
        return {"checksum": self.checksum_}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`facts` gave."""
        self.checksum_ = str(facts["checksum"])


def shares(levels: Floats) -> Floats:
    """Return the share of the probability that each quantile stands for.

    Parameters
    ----------
    levels : float array ``[Q]``
        Ascending.

    Returns
    -------
    float array ``[Q]``

    Examples
    --------
    >>> import numpy as np
    >>> shares(np.array([0.25, 0.5, 0.75])).tolist()
    [0.375, 0.25, 0.375]
    """
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    return np.diff(edges)


def between(found: Floats, levels: Floats, quantiles: Quantiles) -> Floats:
    """Interpolate quantiles at others.

    Parameters
    ----------
    found : float array ``[..., Q]``
    levels : float array ``[Q]``
        Ascending.
    quantiles : tuple of float

    Returns
    -------
    float array ``[..., K]``
        NaN outside of those that there are.

    Examples
    --------
    >>> import numpy as np
    >>> between(np.array([1.0, 3.0]), np.array([0.1, 0.9]), (0.05, 0.5)).tolist()
    [nan, 2.0]
    """
    wanted = np.array(quantiles)
    right = np.searchsorted(levels, wanted - 1e-9).clip(1, len(levels) - 1)
    share = (wanted - levels[right - 1]) / (levels[right] - levels[right - 1])
    made = found[..., right - 1] * (1 - share) + found[..., right] * share
    outside = (wanted < levels[0] - 1e-9) | (wanted > levels[-1] + 1e-9)
    return np.where(outside, np.nan, made)


def local_folder(folder: object, name: str, example: str) -> str:
    """Return a folder of weights by its full path.

    Parameters
    ----------
    folder : str or path
    name : str
        Of the forecaster.
    example : str
        A model's public name, for the message.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        Where there is none, or it holds no safetensors: nothing is downloaded, and nothing pickled is read.
    """
    place = at_home(str(folder)).resolve()
    if not place.is_dir():
        raise ConfigError(
            f"{name} reads its weights from a folder of this machine and downloads nothing; {str(folder)!r} is none. "
            f"Type: hf download {example} --local-dir weights, then {name}(h=..., folder='weights')"
        )
    if not (place / CONFIG).is_file() or not any(place.glob(WEIGHTS)):
        raise ConfigError(f"{place} holds no {CONFIG} beside {WEIGHTS}; other formats of weights are not read.")
    return str(place)


def checksum(folder: Path) -> str:
    """Return the SHA-256 of configuration and weights in a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
    """
    files = sorted([folder / CONFIG, *folder.glob(WEIGHTS)])
    try:
        return _checksum(tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files))
    except OSError as error:
        raise ArtifactError(f"The weights in {folder} cannot be read ({error}). Put them back there.") from error


@cache
def _checksum(files: tuple[tuple[str, int, int], ...]) -> str:
    """Of files by name, time of change and size, so that large ones are read once."""
    total = hashlib.sha256()
    for name, _, size in files:
        total.update(f"{Path(name).name} {size}\n".encode())
        with open(name, "rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


@cache
def read_config(path: Path) -> Json:
    """Return the configuration of a network.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}).") from error
    assert isinstance(found, dict)
    return found
