# Everything here installs what it needs first: see .ci/setup.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PYTHON
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

VENV := .venv/bin
# Network namespaces need root.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,$(shell command -v sudo))

.PHONY: help setup setup-tests demo test lint format check bench packages router-test geo clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: ## install missing system packages, make .venv
	@.ci/setup

demo: setup ## the live agent among real peers, in throw-away namespaces
	@$(AS_ROOT) env PYTHONPATH=tests $(VENV)/python -m lab.demo

setup-tests:
	@.ci/setup tests

test: setup-tests ## all tests, the live ones in namespaces included
	@$(VENV)/python -m pytest $(PYTEST_ARGS)

lint: setup ## ruff, mypy, import contracts
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/lint-imports

format: setup ## rewrite the code in the project's style
	$(VENV)/ruff check --fix
	$(VENV)/ruff format

check: lint test ## lint and test

bench: setup ## messages and verdicts a second
	@$(AS_ROOT) $(VENV)/python tests/bench/run.py $(BENCH_ARGS)

packages: setup ## .ipk, .deb, .apk and feed into dist/, as far as this machine can
	@$(VENV)/python firmware_pkg/build/make.py $(FORMATS)

router-test: setup ## the package in emulated routers; ARCHS="armhf mipsel" for others
	@$(AS_ROOT) env PYTHONPATH=tests $(VENV)/python -m router.run \
	  $(foreach arch,$(ARCHS),--arch $(arch)) $(ROUTER_ARGS)

geo: setup ## build the country table anew
	@$(VENV)/python rules/geo/rebuild.py

clean: ## remove .venv and caches
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
