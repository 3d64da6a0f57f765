"""What a fitted model says: attention, latent state, inputs. Resolved on first use, so that importing is quick.

No module is named like a function: importing ``foretide.explain.x`` puts the module where the function ``x`` stood.
"""

from __future__ import annotations

import importlib
from typing import Any

from foretide.errors import nearest

_WHERE: dict[str, str] = {
    "attention": "foretide.explain.weights.summary",
    "dynamics": "foretide.explain.latent.dynamics",
    "inputs": "foretide.explain.importance.importance",
    "input_gradients": "foretide.explain.importance.gradients",
}
"""Public name -> the module it lives in."""

__all__ = [*_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"foretide.explain has no {name!r}. {nearest(name, _WHERE)}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
