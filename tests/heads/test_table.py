from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from foretide.errors import ConfigError
from foretide.heads.base import HeadShape, SeriesInfo
from foretide.heads.table import ALIASES, HEADS, HeadSpec, make_head, mask_of, resolve, routes

SHAPE = HeadShape(4, 3, h=2)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_keeps_what_its_class_says(name: str) -> None:
    head, kind = make_head(name, SHAPE), HEADS[name].cls
    assert type(head) is kind
    assert (head.has_distribution, head.counts) == (kind.has_distribution, kind.counts)


MIXED: dict[str, HeadSpec] = {
    **{name: name for name in HEADS},
    "routed, linear": {"gaussian": ["2", "0"], "delta": ["1"]},
    "routed": {"gaussian": ["2", "0"], "quantile": ["1"]},
    "layers": {"name": "delta", "widths": [4]},
    "cut off": {"name": "delta", "nonnegative": True},
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("private", [False, True])
def test_the_mean_alone_and_as_a_linear_map(name: str, private: bool) -> None:
    torch.manual_seed(0)
    head = make_head(MIXED[name], replace(SHAPE, entities=2, private=private), ["0", "1", "2"])
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    features, base, scale = torch.randn(5, 4), torch.randn(5, 3), torch.rand(5, 3)
    series = SeriesInfo(torch.arange(5) % 2, torch.full((5, 3), 2.0))
    mean = head.mean(features, base, scale, series)
    torch.testing.assert_close(mean, head(features, base, scale, series).mean(), rtol=1e-4, atol=1e-5)
    linear = head.linear_mean()
    expected = {"point", "absolute", "huber", "delta", "gaussian", "student_t", "routed, linear"}
    assert (linear is not None) == (name == "plain" or (name in expected and not private))
    if linear is not None:
        torch.testing.assert_close(mean, base + scale * (features @ linear[0].T + linear[1]))


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(alias: str) -> None:
    assert type(make_head(alias, SHAPE)) is type(make_head(ALIASES[alias], SHAPE))


def test_the_table_needs_no_torch() -> None:
    code = (
        "import sys\nfrom foretide.heads.table import resolve\nresolve({'nb': ['a'], 'point': ['b']}, ['a', 'b'])\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_which_heads_begin_at_their_base() -> None:
    random = {name for name in HEADS if not routes(name)[0].at_base}
    assert random == {"plain", "plain_zinb"}
    assert not routes({"name": "delta", "widths": [4]})[0].at_base
    assert routes({"name": "delta", "on": "level"})[0].at_base


def test_unknown_heads() -> None:
    with pytest.raises(ConfigError, match=r"There is no head 'pont'\. Did you mean 'point'\?"):
        make_head("pont", SHAPE)
    with pytest.raises(ConfigError, match="Known: point, absolute, huber"):
        make_head("xyz", SHAPE)
    with pytest.raises(ConfigError, match="There is no head 'pointt'"):
        routes({"pointt": ["a"]})
    with pytest.raises(ConfigError, match="There is no head None"):
        routes({"name": None})


@pytest.mark.parametrize("spec", [3, None, {}, ["nb"]])
def test_what_is_no_specification(spec: Any) -> None:
    with pytest.raises(ConfigError, match=r"head is a name such as 'nb', a dict .*; got"):
        routes(spec)


def test_options() -> None:
    assert make_head({"name": "nb", "link": "log"}, SHAPE).link == "log"
    assert make_head("nb", SHAPE, link="log").link == "log"
    with pytest.raises(ConfigError, match=r"Head 'nb' cannot be made with \{'lnk': 'log'\}.*lnk"):
        make_head({"name": "nb", "lnk": "log"}, SHAPE)
    with pytest.raises(ConfigError, match="link is one of 'additive', 'log'; got 'logit'"):
        make_head("nb", SHAPE, link="logit")


def test_routes_are_resolved() -> None:
    found = resolve({"nb": ["c", 0], "point": {"columns": "b"}}, ["a", "b", "c"])
    assert [(r.name, r.columns) for r in found] == [("nb", (2, 0)), ("point", (1,))]
    np.testing.assert_array_equal(mask_of(found, 3, "counts"), [True, False, True])
    np.testing.assert_array_equal(mask_of(found, 3, "has_distribution"), [True, False, True])
    np.testing.assert_array_equal(mask_of(resolve("zinb", ["a"]), 1, "uncentred"), [True])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"nb": ["a"], "point": ["bb", "c"]}, r"Head 'point' is given the target 'bb'\. Did you mean 'b'"),
        ({"nb": ["a", "b"], "point": ["b", "c"]}, r"Target 'b' is given to two heads\."),
        ({"nb": ["a"], "point": ["b"]}, r"No head is given for target 'c'\. Add it: \{'point': \['c'\]\}"),
        ({"nb": [0, 1, 3]}, "Head 'nb' is given the target 3"),
        ({"nb": None}, r"Which columns go to head 'nb'\? Got None\."),
        ({"nb": {"link": "log"}}, "Which columns go to head 'nb'"),
    ],
)
def test_wrong_routes(spec: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(spec, ["a", "b", "c"])
