"""The API of docs/http.md serves on a port, and the workflow beside it runs as the page says."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from ports import on_port
from support import ServeModel

from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError
from planloom.engine import Engine

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


async def test_a_fastapi_app_is_called_through_its_own_document(folder: Path, serve_model: ServeModel) -> None:
    spec = importlib.util.spec_from_file_location("crm_of_the_page", folder / "crm.py")
    assert spec is not None
    assert spec.loader is not None
    crm = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(crm)
    (folder / "crm.openapi.json").write_text(json.dumps(crm.app.openapi()), encoding="utf-8")
    model = await serve_model(FILES["script.yaml"])
    async with on_port(crm.app, forced=True) as url, Engine(journal=folder / "j.db", base_url=model.base_url) as engine:
        env = {"CRM_URL": url, "CRM_TOKEN": "s3cret-token"}
        result = await engine.run(Workflow.from_yaml(folder / "contacts.yaml", env=env))
    assert (result.status, result.output) == ("done", {"id": 1, "names": ["Ann"]}), result.error
    assert re.search(r'answers\n`\{"id": 1, "names": \["Ann"\]\}`', PAGE)
    asked = json.dumps([*model.requests])
    told = json.dumps([asked, (folder / "j.db").read_bytes().decode("latin-1")])
    assert "createContact" in told
    assert "s3cret" not in told
    assert "dempotency" not in asked


async def test_a_fault_of_the_document_is_told_with_both_files(folder: Path) -> None:
    broken = {"openapi": "3.1.0", "paths": {"/v1/contacts": {"get": {"operationId": "listContacts", "parameters": []}}}}
    broken["paths"]["/v1/contacts"]["get"]["parameters"] = [{"$ref": "other.json#/x"}]  # type: ignore[index]
    (folder / "crm.openapi.json").write_text(json.dumps(broken))
    workflow = (folder / "contacts.yaml").read_text().replace("[listContacts, createContact]", "[listContacts]")
    workflow = re.sub(r"^ +auth: .*\n", "", workflow, flags=re.MULTILINE)
    (folder / "contacts.yaml").write_text(workflow)
    with pytest.raises(ConfigError) as caught:
        await Engine().check(Workflow.from_yaml(folder / "contacts.yaml", env={}))
    said = str(caught.value).replace(f"{folder}/", "")
    assert re.sub(r"\d+", "N", said) in re.sub(r"\d+", "N", PAGE)
