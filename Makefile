# Every target installs what it needs first (Debian packages with sudo, announced; the rest into the
# user's cache), so `make demo` and `make test` are complete on a fresh Debian 12.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := .run/toolchain/python/bin/python
STACK := $(PYTHON) -m deploy.dev.stack
CTL := build/release/bin/countersignctl
IN_STACK := [ -e .run/env ] || { echo "the stack is not up: make up" >&2; exit 1; }; source .run/env &&
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
export CCACHE_MAXSIZE ?= 5G
export PYTHONDONTWRITEBYTECODE := 1

##@ First steps
help: ## list every target
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
setup: ## install what building and running need
	@tools/setup/debian.sh deploy/packages/debian.txt
	@tools/setup/python.sh
demo: build ## build, start everything, show one sign-up travel through it, stop everything
	@$(PYTHON) -m deploy.dev.demo
up: build ## start the development stack and leave it running
	@$(STACK) up
down: ## stop the development stack
	@[ ! -e .run/toolchain/python ] || $(STACK) down

##@ Build
build: setup ## release build of services and tools
	@tools/build.sh release
build-asan: setup ## build with address and undefined behaviour sanitizers, failpoints in
	@tools/build.sh asan
build-debug: setup ## build without optimisation
	@tools/build.sh debug
gen-pb: setup ## generate the C++ code of api/
	@tools/build.sh release countersign_api countersign_api_events
install: build ## install binaries, migrations and example configuration below PREFIX
	@cmake --install build/release --prefix $${PREFIX:?say PREFIX=/where/to} >/dev/null
	@echo "installed below $$PREFIX"
clean: ## remove builds and everything that stacks of this checkout wrote
	@[ ! -e .run/toolchain/python ] || find .run -name ports.json -printf '%h\n' | while read -r folder; do \
	  $(STACK) down --remove --run-dir "$$folder"; done
	@rm -rf build .run

##@ Test
test: build build-asan ## unit, PostgreSQL, Kafka, contract, end-to-end and short fault tests
	@$(PYTHON) -m tools.testing.run
test-full: build build-asan setup-full ## test, and the long runs: faults 30 min, TSan, fuzzing, Debezium
	@tools/build.sh tsan
	@$(PYTHON) -m tools.testing.run --full
chaos-relay: build build-asan ## break the relay in every way, under load; writes a report; ONLY=row, SEED=, DELIVERY=
	@$(PYTHON) -m tests.chaos.relay_faults.run $(if $(ONLY),--only $(ONLY),--report docs/reports/relay-faults.md) \
	  $(if $(SEED),--seed $(SEED)) $(if $(DELIVERY),--delivery $(DELIVERY))
test-deps-up: setup ## PostgreSQL and Kafka alone, left running for tests by hand
	@$(STACK) up --only postgres,kafka --run-dir .run/test-deps
test-deps-down: ## stop them
	@[ ! -e .run/toolchain/python ] || $(STACK) down --run-dir .run/test-deps
check: setup-check ## format, layers, clang-tidy, proto gate, and the tests of these gates
	@tools/checks/format.sh
	@tools/checks/layers.py
	@tools/checks/proto.sh
	@tools/build.sh debug generated
	@tools/checks/tidy.py --build build/debug
	@$(PYTHON) -m pytest -q -p no:cacheprovider tests/tools
setup-check: setup
	@tools/setup/debian.sh deploy/packages/debian-check.txt
	@tools/setup/unpacked.sh deploy/packages/debian-unpacked.txt
	@tools/setup/npm.sh npm
setup-full: setup-check
	@tools/setup/npm.sh npm-full
fmt: setup ## format C++ sources in place
	@tools/checks/format.sh --fix
bench: build ## measure; ONLY=signup for one; writes bench/results/*.json
	@$(PYTHON) -m bench.run $(if $(ONLY),--only $(ONLY))
bench-debezium: build ## measure our relay beside Debezium (15 min); SHORT=1 only shows that it runs; ONLY=live for one piece
	@$(PYTHON) -m bench.relay_vs_debezium $(if $(SHORT),--short) $(if $(ONLY),--only $(ONLY))

##@ Operate the development stack
run: up ## the same as up
migrate-up: ## apply migrations to the stack's database
	@$(IN_STACK) $(CTL) migrate up
migrate-down: ## take the last migration back
	@$(IN_STACK) $(CTL) migrate down
migrate-status: ## which migrations are applied
	@$(IN_STACK) $(CTL) migrate status
kafka-topics: ## create missing topics from deploy/topics.yaml
	@$(IN_STACK) $(CTL) topics apply
kafka-consume: ## print events of TOPIC (default auth.log) from the beginning
	@$(IN_STACK) $(CTL) events tail --topic $(or $(TOPIC),auth.log) --from-beginning
outbox-status: ## how far the relay is behind
	@$(IN_STACK) $(CTL) outbox status

##@ Deploy
img: ## build the container image countersign:VERSION
	@deploy/compose.sh image
compose-up: img ## roll this version out with Docker Compose on this host: provision, migrate, start
	@deploy/compose.sh up
compose-down: ## stop it; what it holds is kept
	@deploy/compose.sh down

##@ Release
docs: build ## print docs/configuration.md, errors.md, kafka-acls.md and the dashboard from what they tell
	@build/release/bin/print_reasons >docs/errors.md
	@$(PYTHON) -m tools.docs.configuration
	@$(PYTHON) -m tools.docs.dashboard
	@$(PYTHON) -m tools.docs.acls
release: setup-check ## make the current api/ the baseline that later changes must not break
	@tools/checks/release.sh

.PHONY: help docs setup chaos-relay demo up down build build-asan build-debug gen-pb install clean test test-deps-up test-deps-down test-full check \
  setup-check setup-full fmt bench bench-debezium run migrate-up migrate-down migrate-status kafka-topics kafka-consume \
  outbox-status img compose-up compose-down release
