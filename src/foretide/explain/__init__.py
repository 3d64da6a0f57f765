"""What a fitted model says: attention, latent state, inputs. Resolved on first use, so that importing is quick.

No module is named like a function: importing ``foretide.explain.x`` puts the module where the function ``x`` stood.
"""

from __future__ import annotations

from foretide.errors import nearest
from foretide.explain.table import EXPLAINERS

__all__ = [*EXPLAINERS]


def __getattr__(name: str) -> object:
    if name not in EXPLAINERS:
        raise AttributeError(f"foretide.explain has no {name!r}. {nearest(name, EXPLAINERS)}")
    globals()[name] = EXPLAINERS[name].function
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
