"""Which models a command line names, which version answers, and how they are swapped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from served import records, sales

from foretide.errors import ArtifactError, ConfigError
from foretide.forecasters.base import Forecaster
from foretide.serving.limits import RequestError
from foretide.serving.models import Shelf, places_of


def names(*words: str) -> list[tuple[str, str]]:
    return [(place.name, place.version) for place in places_of(words)]


def test_one_folder_a_store_and_names(folder: Path, models: dict[str, Forecaster], tmp_path: Path) -> None:
    assert names(str(folder / "naive")) == [("SeasonalNaive", "1")]
    assert names(f"sales={folder / 'naive'}", f"sales@2={folder / 'promo'}") == [("sales", "1"), ("sales", "2")]
    assert names(str(folder)) == [(name, "1") for name in sorted(models)]
    for place in ("shop/9", "shop/10", "web/2024-01"):
        shutil.copytree(folder / "naive", tmp_path / "store" / place)
    assert sorted(names(str(tmp_path / "store"))) == [("shop", "10"), ("shop", "9"), ("web", "2024-01")]
    assert sorted(names(str(tmp_path / "store" / "shop"))) == [("shop", "10"), ("shop", "9")]
    assert Shelf([str(tmp_path / "store")]).latest("shop").version == "10"
    shutil.copytree(folder / "naive", tmp_path / "run" / "models" / "SeasonalNaive")
    assert names(str(tmp_path / "run"), f"own={tmp_path / 'run'}") == [("SeasonalNaive", "1"), ("own", "1")]
    shutil.copytree(folder / "two", tmp_path / "run" / "models" / "SeasonalES")
    assert names(str(tmp_path / "run")) == [("SeasonalES", "1"), ("SeasonalNaive", "1")]
    assert names(f"SeasonalES={tmp_path / 'run'}") == [("SeasonalES", "1")]
    with pytest.raises(ConfigError, match="holds SeasonalES, SeasonalNaive. Name the folder of one"):
        names(f"sales={tmp_path / 'run'}")


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ((), ConfigError, "Name a model"), (("{}/none",), ArtifactError, "holds no saved model"),
        (("{}/naive", "{}/naive"), ConfigError, "are both 'SeasonalNaive', version 1"),
        (("a b={}/naive",), ConfigError, "letters, digits"), (("a@../x={}/naive",), ArtifactError, "no saved model"),
    ],
)  # fmt: skip
def test_words_that_name_no_model(folder: Path, words: tuple[str, ...], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        places_of(word.format(folder) for word in words)


def test_which_version_answers(folder: Path) -> None:
    shelf = Shelf([f"a@2={folder / 'naive'}", f"a@10={folder / 'two'}", f"b={folder / 'promo'}"])
    assert shelf.find("a", None).version == "10"
    assert shelf.find("a", "2").model.name == "SeasonalNaive"
    for name, version, status in (("a", "3", 404), ("c", None, 404), (None, None, 422)):
        with pytest.raises(RequestError) as refused:
            shelf.find(name, version)
        assert refused.value.status == status
    assert Shelf([str(folder / "naive")]).find(None, None).name == "SeasonalNaive"


def test_reload_reads_what_has_changed_and_nothing_else(
    folder: Path, models: dict[str, Forecaster], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(folder / "naive", store / "shop" / "1")
    shutil.copytree(folder / "two", store / "web" / "1")
    shelf = Shelf([str(store)])
    first, web = shelf.latest("shop"), shelf.latest("web")
    assert shelf.reload() == []
    shutil.copytree(folder / "promo", store / "shop" / "2")
    assert [served.version for served in shelf.reload()] == ["2"]
    assert shelf.latest("shop").model.name == "Linear"
    assert shelf.find("shop", "1") is first
    models["promo"].save(store / "web" / "1")
    shelf.reload()
    assert shelf.latest("web").model.name == "Linear"
    assert web.model.name == "SeasonalES"  # who has it still forecasts with it
    (store / "shop" / "2" / "state.safetensors").write_bytes(b"broken")
    (store / "shop" / "2" / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError):
        shelf.reload()
    assert shelf.latest("shop").version == "2"


def test_reload_by_request(serving: Any, folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(folder / "naive", store / "shop" / "1")
    client = serving((str(store),))
    shutil.copytree(folder / "promo", store / "shop" / "2")
    found = client.post("/v1/models/reload").json()["models"]
    assert [(about["version"], about["latest"]) for about in found] == [("1", False), ("2", True)]
    (store / "shop" / "2" / "manifest.json").write_text("{")
    refused = client.post("/v1/models/reload")
    assert refused.status_code == 409
    assert str(tmp_path) not in refused.text
    body = {"version": "1", "history": records(sales(9, ("x",)))}
    assert client.post("/v1/forecast", json=body).status_code == 200
    metrics = client.get("/metrics").text
    assert 'foretide_reloads_total{outcome="error"} 1.0' in metrics
    assert 'foretide_model_info{forecaster="Linear",model="shop",version="2"} 1.0' in metrics
