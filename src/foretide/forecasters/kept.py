"""What a forecaster learned, as arrays and facts, and how it is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, final

import numpy as np

from foretide.forecasters.artifact import save
from foretide.forecasters.choices import Chooses

if TYPE_CHECKING:
    from os import PathLike

    from foretide.forecasters.base import Forecaster
    from foretide.typing import Array, Json


class Kept(Chooses):
    """A forecaster that can be saved: by default what the attributes in ``learned`` hold."""

    @final
    def save(self, folder: str | PathLike[str], *, key: str | bytes | None = None) -> None:
        """Write settings (JSON) and what was learned (safetensors) to a folder; :func:`foretide.load` reads it.

        Parameters
        ----------
        folder : path
            New, or one that holds a saved forecaster, which is replaced.
        key : str or bytes, optional
            A secret of your own to sign the files with, so that ``ft.load(folder, key=...)`` refuses what someone
            without it has made or changed; the environment variable ``FORETIDE_KEY`` by default, unsigned without.

        Examples
        --------
        >>> import foretide as ft
        >>> from tempfile import mkdtemp
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> folder = mkdtemp()
        >>> ft.SeasonalNaive(h=24, season=24).fit(panel).save(folder)
        >>> ft.load(folder)
        SeasonalNaive(h=24, season=24)
        """
        save(cast("Forecaster", self), folder, key=key)

    def state(self) -> dict[str, Array]:
        """What was learned, as arrays by name.

        Returns
        -------
        dict
            Name -> array.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> sorted(ft.Ridge(h=24, input_size=24).fit(panel).state())[:2]
        ['intercept', 'preparation.known_location']
        """
        return {name: value for name, value in self._learned().items() if isinstance(value, np.ndarray)}

    def facts(self) -> dict[str, object]:
        """What was learned and is no array, as JSON.

        Returns
        -------
        dict
            Name -> what a JSON file can hold.

        Examples
        --------
        >>> import foretide as ft
        >>> panel = ft.synthetic.hourly(T=240, seed=1).panel
        >>> ft.SeasonalNaive(h=24).fit(panel).facts()
        {'season': 24}
        """
        return {name: value for name, value in self._learned().items() if not isinstance(value, np.ndarray)}

    def _learned(self) -> dict[str, object]:
        return {name.rstrip("_"): getattr(self, name) for name in self.learned}

    def restore(self, state: dict[str, Array], facts: Json) -> None:
        """Take back what :meth:`state` and :meth:`facts` gave.

        Parameters
        ----------
        state : dict
            Name -> array.
        facts : dict
        """
        for name in self.learned:
            setattr(self, name, {**facts, **state}[name.rstrip("_")])
