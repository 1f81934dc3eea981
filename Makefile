# Everything that can be done with a checkout; `make` alone lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup venv other versions test long matrix lint sanity unit fix docs live chaos molecule demo demo-clean bench changelog lock build clean

# The Python that .venv is made with (3.11 or newer).
PYTHON ?= python3
# Debian's release inside the containers: bookworm or trixie.
DEBIAN ?= bookworm

export PYTHON DEBIAN
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Ansible wants UTF-8; this locale exists on every Debian.
export LC_ALL := C.UTF-8
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache
# Molecule keeps its state there, by no more than the checkout's name: two must not share it.
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export MOLECULE_GLOB := molecule/*/molecule.yml

help: ## Show this list
	@while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done \
		< <(sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST))

setup: ## Make all that the rest needs: .venv, Docker Engine, images
	@tools/setup

venv:
	@tools/setup venv

other: setup
	@tools/setup other

versions: setup
	@tools/setup versions

test: other versions ## Run everything below up to molecule, side by side, but what takes long
	@tools/run-tests

long: other versions ## The tests on real servers that take too long for every change
	@tools/run-tests long

matrix: versions ## The whole life of a pair for all pairs of versions of PostgreSQL; writes docs/support.md
	@MULTIMASTER_ALL=1 tools/run-tests matrix && tools/support.py

lint: venv ## ruff, mypy, yamllint, ansible-lint, changelog and documentation
	@tools/run-tests lint

sanity: venv ## ansible-test sanity
	@tools/run-tests sanity

unit: venv ## Unit tests (no server needed), or some: make unit ARGS="-k seed"
	@$(if $(ARGS),pytest -q $(if $(filter tests/%,$(ARGS)),,tests/unit) $(ARGS),tools/run-tests unit)

fix: venv docs ## Write what tools can write: formats, imports, and what "docs" does
	@ruff check --quiet --fix . && ruff format --quiet .

docs: venv ## Write the tables of the roles' READMEs and of docs/preflight.md
	@tools/role_readmes.py && tools/preflight_manual.py

live: other ## Tests on real servers and the real daemon, or one: make live TEST=bootstrap
	@tools/run-tests $(if $(TEST),live-$(TEST),live)

# How long, and the seed of a run that is to be repeated.
MINUTES ?= 2
SEED ?=

chaos: setup ## Everything fails while clients write; then all is right: make chaos MINUTES=10 SEED=1
	@tests/chaos/run.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

molecule: setup ## All Molecule scenarios, or one: make molecule SCENARIO=default
	@tools/run-tests $(if $(SCENARIO),molecule-$(SCENARIO),molecule)

demo: setup ## Two servers, a live writer, the bootstrap, the proof
	@demo/run.py --image multimaster/postgresql:$(DEBIAN)

demo-clean: venv ## Remove what the demo made
	@demo/run.py --clean

bench: other ## Measure against the plain procedure and other tools
	@[ -x tests/bench/run ] || { echo 'error: there is no tests/bench/run' >&2; exit 1; }
	@tests/bench/run

changelog: venv ## Make CHANGELOG.md from changelogs/
	@antsibull-changelog release --reload-plugins --refresh

lock: ## Pin requirements/dev.txt again: make lock OLD=python3.11 NEW=python3.13
	@tools/lock $(OLD) $(NEW)

build: venv ## Build the collection's archive into build/
	@ansible-galaxy collection build --force --output-path build

clean: ## Remove everything that make made, images and the engine excepted
	@rm -rf .venv .cache .ansible build tests/output
