# iCommerce. `make` alone prints the targets.
.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt bench storm evals lock
BIN := .venv/bin
PEER_VERSION := 1.40.0
export LITELLM_LOCAL_MODEL_COST_MAP := True
# Each process would compile the house again, and each test worker the tests.
unexport PYTHONDONTWRITEBYTECODE

help: ## print the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## create .venv and install the locked set; does nothing the second time
	@scripts/setup.sh

run: setup ## start everything embedded, with two demo shops, at http://127.0.0.1:8000/
	@exec $(BIN)/icommerce serve

test: setup ## the whole test suite, on an embedded PostgreSQL of its own
	@$(BIN)/python -m pytest

check: setup ## lint, format, types, import rules, house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/check_money.py

fmt: setup ## format, and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## benchmarks on a store of their own; NAMES="complete card" chooses, PEER=1 adds the public peer's
	@$(BIN)/icommerce bench $(NAMES)
ifdef PEER
	@test -d .bench-peer || { $(BIN)/python -m venv .bench-peer && .bench-peer/bin/python -m pip install --quiet \
	  --disable-pip-version-check stateset-embedded==$(PEER_VERSION); } || { rm -rf .bench-peer; exit 1; }
	@.bench-peer/bin/python -I scripts/bench_peer.py
endif

storm: setup ## eight processes at once on twenty items for 30 s, then every invariant
	@$(BIN)/python -m tests.storm

evals: setup ## graded conversations, a hostile model, graded searches, and chaos in the pipeline; SUITES="shopping service" chooses
	@$(BIN)/icommerce eval $(SUITES)
ifndef SUITES
	@$(BIN)/python -m evals.hostile.run
	@$(BIN)/python -m evals.search.run
	@$(BIN)/python -m tests.chaos
	@ICOMMERCE_ISOLATION_EXAMPLES=20 $(BIN)/python -m pytest -q tests/chaos/test_isolation.py
endif

lock: ## resolve the dependencies anew (maintainers; needs uv)
	@uv pip compile pyproject.toml requirements-build.in --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock >/dev/null
	@uv pip compile requirements-bootstrap.in --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-bootstrap.lock >/dev/null
