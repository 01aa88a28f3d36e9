"""What `docs/ui.md` shows works as it stands there."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "ui.md").read_text(encoding="utf-8")


def test_the_app_of_the_page_serves_the_pages_and_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/one.yaml").write_text('version: 1\nname: one\nnodes: {n: {code: "1"}}\n')
    names: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], names)
    app = names["app"]
    assert isinstance(app, FastAPI)
    with TestClient(app, base_url="http://localhost") as http:
        assert "<title>Planloom</title>" in http.get("/ui/").text
        assert [line["name"] for line in http.get("/v1/workflows").json()["workflows"]] == ["one"]


def test_every_picture_and_page_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([\w.-]+)[#)]", PAGE)
    assert links
    assert [link for link in links if link and not (DOCS / link).exists()] == []
