"""Quality against compute, from the runs that a tenant has stored."""

from pathlib import Path

from service_support import Serve, settled

CHECKED = """
version: 1
name: checked
inputs: {hard: {type: boolean}}
models:
  mini: {model: "rehearsal:mini", script: checked.yaml, price: {input: 5, output: 20}}
  big: {model: "rehearsal:big", script: checked.yaml, price: {input: 50, output: 200}}
ladder: [mini, big]
route: {retry: 0}
nodes:
  easy: {goal: "Say 1.", checks: [{expr: "output == '1'"}]}
  hard: {goal: "Say 2.", when: "inputs.hard", checks: [{expr: "output == '2'"}]}
"""
SCRIPT = """
rehearsal: 1
rules:
  - {when: {node: hard, model: big}, text: "2"}
  - {when: {node: "*"}, text: "1"}
"""


async def test_stored_answers_are_replayed_and_what_nobody_asked_stays_unknown(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "checked.yaml").write_text(SCRIPT)
    async with serve(more=[CHECKED]) as site, await site.client() as http, await site.client("other") as stranger:
        for hard in (True, False):
            started = await http.post("/runs", json={"workflow": "checked", "inputs": {"hard": hard}})
            assert (await settled(http, started.json()["run_id"]))["status"] == "done"
        found = (await http.get("/quality", params={"workflow": "checked"})).json()
        assert (found["runs"], found["answers"], found["questions"]) == (2, 4, 3)
        rules = {rule["name"]: rule for rule in found["rules"]}
        counts = {name: (rule["right"], rule["unknown"], rule["strong_calls"]) for name, rule in rules.items()}
        assert counts["cheap only"] == (2, 0, 0)
        assert counts["strong only"] == (1, 2, 3)
        assert 0 < rules["cheap only"]["cost_usd"] < rules["strong only"]["cost_usd"]
        assert (await http.get("/quality", params={"workflow": "sum"})).json()["runs"] == 0
        assert (await stranger.get("/quality")).json()["runs"] == 0
