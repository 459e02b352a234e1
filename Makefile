# Needs Python 3.11 or later, make and git. uv is used where it is found, else fetched into .uv/; everything else goes
# into .venv/ from the hashed locks in requirements/. `make VENV=.venv-3.12 PYTHON=python3.12 test` tries another Python.

VENV ?= .venv
ARGS ?=
RUN   = $(VENV)/bin/python

# The path behind the name, so that a pyenv shim stays what it was on the day the environment was made; shims without a
# version behind them fail and are passed over.
BEHIND = import sys; sys.version_info >= (3, 11) or sys.exit(1); print(sys.executable)
override PYTHON := $(shell for name in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
  "$$name" -c '$(BEHIND)' 2>/dev/null </dev/null && break; done)
FOUND = test -n "$(PYTHON)" || { echo "linecook needs Python 3.11 or later and finds none; say where: make PYTHON=/path/to/python3" >&2; exit 1; }
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .uv/bin/uv)

# An explicit interpreter always; uv never fetches one.
export UV_PYTHON_DOWNLOADS = never
# uv carries certificates of its own; behind a company's proxy or mirror the right ones are the system's. (Two spellings: old uv.)
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= 1
export UV_NATIVE_TLS ?= 1
endif
INSTALL = $(UV) pip install --quiet --python $(RUN)

# The locks hold the build backend too: nothing is fetched that has no hash.
COMPILE = $(UV) pip compile --quiet --universal --python $(PYTHON) --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help demo test quick slow guests bench explored soak docs plots lint format types ci lock dist changelog clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /\1	/p' Makefile | expand -t 10

demo: $(VENV)/.runtime  ## the desk of agents at work on real files (PATHS=~/code make demo: on yours)
	@$(RUN) examples/desk.py $(ARGS)

test: $(VENV)/.test  ## every test (make test ARGS="-k deadline")
	@$(RUN) -m pytest $(ARGS)

quick: $(VENV)/.test  ## the tests that take milliseconds
	@$(RUN) -m pytest -m "not slow" $(ARGS)

slow: $(VENV)/.test  ## the others
	@$(RUN) -m pytest -m slow $(ARGS)

guests: $(VENV)/.guests  ## tools in the hands of Pydantic AI, OpenAI Agents, LangGraph, MCP
	@$(RUN) -c "import agents, langgraph, mcp, pydantic_ai"
	@$(RUN) -m pytest tests/guests $(ARGS)

bench: $(VENV)/.bench  ## linecook and its peers side by side
	@$(RUN) benchmarks/run.py $(ARGS)

explored: $(VENV)/.test  ## our own primitives in all orders at two overtakings, to the end (minutes)
	@HOUSE_SECONDS=600 $(RUN) -m pytest tests/testing/exploring tests/patterns -k "house or explored or every_order" $(ARGS)

soak: $(VENV)/.runtime  ## half an hour of bad luck: does anything grow? (docs/plots/nothing-grows.py build/soak.csv draws it)
	@mkdir -p build
	@$(RUN) benchmarks/soak/run.py --csv build/soak.csv $(ARGS)

docs: $(VENV)/.docs  ## the site, from docs/ into site/; a broken link is an error (make plots: its figures again)
	@$(RUN) docs/reference/write.py
	@$(RUN) -m zensical build --clean --strict

plots: $(VENV)/.docs  ## the plots of docs/explanation/, from real runs on this machine
	@for plot in $(filter-out %/nothing-grows.py,$(wildcard docs/plots/[a-z]*.py)); do $(RUN) $$plot || exit 1; done

lint: $(VENV)/.test  ## ruff: rules and format
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

format: $(VENV)/.test  ## ruff: mend what it can
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

types: $(VENV)/.test  ## mypy and pyright, both strict: the package, tests/typing, every block of README and docs
	@$(RUN) -m tests.checkers

ci:  ## all of it, on every Python found
	@.ci/run

lock:  ## the locks again from pyproject.toml (UPGRADE=--upgrade: newer versions)
lock: | $(UV)
	$(COMPILE) pyproject.toml --group build -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --group build --group test -c requirements/runtime.txt -o requirements/test.txt
	$(COMPILE) pyproject.toml --group build --group bench -c requirements/test.txt -o requirements/bench.txt
	$(COMPILE) pyproject.toml --group build --group guests -c requirements/test.txt -o requirements/guests.txt
	$(COMPILE) pyproject.toml --group build --group docs -c requirements/test.txt -c requirements/bench.txt -o requirements/docs.txt
	$(COMPILE) pyproject.toml --group build --group news -c requirements/test.txt -o requirements/news.txt
	echo uv | $(COMPILE) - -o requirements/uv.txt

dist: $(VENV)/.runtime  ## sdist and wheel in dist/, the same bytes for the same commit; tests/test_dist.py installs them
	@rm -f dist/*.whl dist/*.tar.gz
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600) $(UV) build --quiet --offline --no-build-isolation --python $(RUN) --out-dir dist .
	@ls -l dist

changelog: $(VENV)/.news  ## what newsfragments/ would add to CHANGELOG.md (make changelog ARGS=--yes: write it)
	@$(RUN) -m towncrier build $(or $(ARGS),--draft) --version $$($(RUN) -m hatchling version)

clean:  ## remove the environments
	rm -rf .uv .venv .venv-*

# One environment, filled as needed: what the tests need is added to what the demo needs.
$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(UV)
	@$(FOUND)
	@test -x $(RUN) || $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(INSTALL) --require-hashes -r requirements/runtime.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test $(VENV)/.bench $(VENV)/.guests $(VENV)/.docs $(VENV)/.news: $(VENV)/.%: requirements/%.txt $(VENV)/.runtime
	@$(INSTALL) --require-hashes -r requirements/$*.txt
	@touch $@

$(VENV)/.guests: $(VENV)/.test

.uv/bin/uv: requirements/uv.txt
	@$(FOUND)
	@$(PYTHON) -m venv .uv || { echo "$(PYTHON) can't make environments: install its venv module (python3-venv), or uv." >&2; exit 1; }
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@
