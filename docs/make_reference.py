"""Writes configs/workflow.schema.json and the tables of docs/workflow.md from the models.

Run it after a change in configs/spec.py or configs/nodes.py: `python -P docs/make_reference.py`.
"""

from pathlib import Path

from planloom.configs.reference import fill
from planloom.configs.schema import SCHEMA_FILE, schema_text

PAGE = Path(__file__).with_name("workflow.md")

if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
