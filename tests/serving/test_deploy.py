"""The examples of deploying it: their commands, ports and probes are those of the service. No image is built."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from foretide.cli.app import command_line

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def instructions() -> dict[str, list[str]]:
    """Name of an instruction of the Dockerfile -> what stands behind it, each time it comes."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for name, rest in re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE):
        found.setdefault(name, []).append(rest)
    return found


def container() -> tuple[dict[str, Any], dict[str, Any]]:
    deployment, service = YAML(typ="safe").load_all(DEPLOY / "kubernetes.yaml")
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    return deployment["spec"]["template"]["spec"], deployment["spec"]["template"]["spec"]["containers"][0]


def started(words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """What the service would start with."""
    server = pytest.importorskip("foretide.serving.server")
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(server, "serve", lambda *given: calls.append(given))
    done = CliRunner().invoke(command_line({"serve": "foretide.cli.serve:serve", "fit": "foretide.cli.fit:fit"}), words)
    assert done.exit_code == 0, done.output
    return calls[0]


def test_the_image_starts_the_service_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    found = instructions()
    entry, words = json.loads(found["ENTRYPOINT"][0]), json.loads(found["CMD"][0])
    models, address, _ = started([*entry[1:], *words], monkeypatch)
    assert entry[0] == "foretide"
    assert (models, address.host, address.port) == (["/models"], "0.0.0.0", int(found["EXPOSE"][0]))
    assert found["USER"] == ["10001"]
    assert "--constraint constraints.txt" in " ".join(found["RUN"])
    assert f":{address.port}/v2/health/ready" in found["HEALTHCHECK"][0]
    for source in " ".join(found["COPY"][:2]).replace("./src", "").split():
        assert source == "./" or (DEPLOY.parent / source).exists()


def test_the_pod_starts_it_and_asks_for_its_health(monkeypatch: pytest.MonkeyPatch, serving: Any) -> None:
    pod, own = container()
    models, address, limits = started(["serve", *own["args"]], monkeypatch)
    assert address.port == own["ports"][0]["containerPort"]
    assert models == [own["volumeMounts"][0]["mountPath"]]
    assert pod["terminationGracePeriodSeconds"] > limits.seconds
    assert pod["securityContext"]["runAsNonRoot"]
    client = serving(token="a-token-for-the-tests")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert client.get(own[probe]["httpGet"]["path"]).status_code == 200
    (variable,) = own["env"]
    server = pytest.importorskip("foretide.serving.server")
    assert variable["name"] == server.TOKEN
