# Two commands on a fresh machine: `make run` and `make test`. Needs Python 3.11 or newer, and make.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BENCH_REF ?= ../shared/bench
PYTEST_ARGS ?=
ARGS ?=
# `make lock` raises only what it must; LOCK_ARGS=--upgrade raises everything. UV is the uv that does the installing.
LOCK_ARGS ?=
UV ?= 0.13.9

SHELL := /bin/sh
BIN := .venv/bin
SYNC := tools/uv pip sync --quiet --python $(BIN)/python --require-hashes
# The project itself: its build backend is in the lock, so nothing is fetched here.
INSTALL := tools/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e .

# A .venv holds absolute paths: made in another folder, or by a Python that is gone, it is made anew.
ifneq ($(shell cat .venv/.home 2>/dev/null; $(BIN)/python -c '' 2>/dev/null && echo /ok),$(CURDIR) /ok)
ANEW := anew
endif

.PHONY: help setup run test test-long fuzz check bench bundle lock fmt clean anew
.DEFAULT_GOAL := help

help:
	@echo "make run        set up, then serve on http://$(HOST):$(PORT) with a demo county"
	@echo "make test       set up, then every check and the whole test suite (SQLite and PostgreSQL)"
	@echo "make test-long  the slow tests as well"
	@echo "make fuzz       an hour (FUZZ_SECONDS) of generated requests at a real service, on both databases"
	@echo "make bench      measure against the reference programs in BENCH_REF ($(BENCH_REF)); ARGS=--million, ARGS=--quick"
	@echo "make bundle     build/luodi-…-linux-x86_64.tar.gz: installs on a machine without network (systemd units inside)"
	@echo "make fmt        format the code;  make lock  resolve the dependencies again;  make clean"

setup: .venv/.run
	@:

run: setup
	@exec $(BIN)/luodi serve --setup --host $(HOST) --port $(PORT)

# More workers than cores: many tests wait for other processes and for the disk.
test: check
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not long" $(PYTEST_ARGS)

test-long: check
	$(BIN)/python -m pytest -n 4 --dist worksteal --timeout 3600 $(PYTEST_ARGS)

fuzz: .venv/.dev
	$(BIN)/python -m tests.fuzz

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -x $(BIN)/hadolint ]; then echo "hadolint Dockerfile"; $(BIN)/hadolint Dockerfile; fi

bench: .venv/.dev
	BENCH_REF=$(BENCH_REF) $(BIN)/python -m tests.bench $(ARGS)

bundle: .uv/.done
	.uv/bin/python tools/bundle.py build

fmt: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The locks name packages and hashes, never a registry or a folder, so that they install through any mirror.
COMPILE = env -u UV_FIND_LINKS tools/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: .uv/.done
	printf 'uv==$(UV)\n' | $(COMPILE) - -o requirements-uv.lock
	$(COMPILE) pyproject.toml --group build $(LOCK_ARGS) -o requirements.lock
	$(COMPILE) pyproject.toml --group build --group dev -c requirements.lock --no-annotate $(LOCK_ARGS) -o requirements-dev.lock

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# --- how .venv comes about -----------------------------------------------------------------------------------------
# .uv holds nothing but a pinned uv; .venv is filled by it from a lock. The stamps say what was last installed:
# .venv/.run the run-time packages, .venv/.dev these and the tools. Once there, the tools stay up to date with .run too.

.uv/.done: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "luodi needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up .venv (only when something changed)" >&2
	@rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

.venv/.home: .uv/.done $(ANEW)
	@tools/uv venv --quiet --clear --python "$$(command -v $(PYTHON))" .venv
	@pwd > $@

.venv/.run: .venv/.home requirements.lock requirements-dev.lock pyproject.toml
	@if [ -e .venv/.dev ]; then $(SYNC) requirements-dev.lock; else $(SYNC) requirements.lock; fi
	@$(INSTALL)
	@if [ -e .venv/.dev ]; then touch .venv/.dev; fi
	@touch $@

.venv/.dev: .venv/.home requirements-dev.lock pyproject.toml
	@$(SYNC) requirements-dev.lock
	@$(INSTALL)
	@touch .venv/.run $@
