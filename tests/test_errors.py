from __future__ import annotations

import pytest

from foretide import errors
from foretide.errors import ForetideError, MissingExtraError, nearest


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("pont", ["point", "huber"], "Did you mean 'point'?"),
        ("VIC", ["vic", "nsw"], "Did you mean 'vic'?"),
        ("xyz", ["point", "huber"], "Known: point, huber."),
        ("xyz", [], "None is known."),
        (12, [11, "other"], "Known: 11, other."),
    ],
)
def test_nearest(name: object, known: list[object], said: str) -> None:
    assert nearest(name, known) == said


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("DataError", ValueError), ("ConfigError", ValueError), ("NotFittedError", RuntimeError),
        ("LeakageError", RuntimeError), ("TrainingError", FloatingPointError), ("ArtifactError", OSError),
        ("MissingExtraError", ImportError),
    ],
)  # fmt: skip
def test_each_error_is_foretides_and_of_a_builtin_kind(name: str, builtin: type[Exception]) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, ForetideError)
    assert issubclass(kind, builtin)


def test_a_missing_extra_says_what_to_type() -> None:
    with pytest.raises(ImportError, match=r"A test needs the package 'x'.* Type: pip install 'foretide\[all\]'"):
        raise MissingExtraError("x", "all", "A test")
