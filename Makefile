# Two commands for a fresh machine: `make quickstart` runs the main job, `make test` passes the tests.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

DAGRE := 3.1.3
VENDOR := planloom/service/ui/vendor

.PHONY: help quickstart test check docs lint types imports format lock vendor pictures clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /  /'

.venv/.base: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Planloom needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(STAMP): .venv/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock -e .
	@touch $@

quickstart: .venv/.base  ## Install, then watch the quickstart run (no key, no model server)
	$(BIN)/planloom run quickstart --rehearsal quickstart

test: export PYTHONDONTWRITEBYTECODE =  # the many programs that tests start must not each compile Planloom
test: $(STAMP)  ## Install what the tests need, then run them
	$(BIN)/pytest -n auto --dist worksteal

check: lint types imports docs test  ## Everything CI checks

docs: $(STAMP)  ## Build the documentation into site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(STAMP)
	$(BIN)/mypy
	$(BIN)/pyright

imports: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP)  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP)  ## Renew requirements.lock within the bounds of pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras --group dev --no-header --no-annotate pyproject.toml -o requirements.lock

vendor:  ## Fetch the library that lays out the pages' graphs; fails where it is not what was fetched before
	cd $(VENDOR) && npm pack --silent @dagrejs/dagre@$(DAGRE) >/dev/null
	cd $(VENDOR) && tar xzf dagrejs-dagre-$(DAGRE).tgz --strip-components 1 package/LICENSE package/dist/dagre.esm.js
	cd $(VENDOR) && sed '/^\/\/# sourceMappingURL=/d' dist/dagre.esm.js > dagre.esm.js && mv LICENSE dagre.LICENSE.txt
	cd $(VENDOR) && rm -r dist dagrejs-dagre-$(DAGRE).tgz && sha256sum --check SHA256SUMS

pictures: $(STAMP)  ## Take the pictures of the pages in docs/ anew
	PLANLOOM_UI_SHOTS=docs $(BIN)/pytest tests/service/test_ui.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist site *.egg-info
