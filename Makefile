# `make help` lists what there is.

# `dev` builds faster and runs slower; CI uses it for everything, to build once.
ADMIRAL_PROFILE ?= release
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET_DIR)/$(if $(filter dev,$(ADMIRAL_PROFILE)),debug,$(ADMIRAL_PROFILE))/admiral
CARGO_PROFILE := --profile $(ADMIRAL_PROFILE)

WEB_SOURCES := $(if $(wildcard web/package.json),$(shell find web/src web/public web/index.html web/package.json web/package-lock.json \
	web/vite.config.ts web/tsconfig*.json -type f 2>/dev/null))
CONSOLE := $(if $(wildcard web/package.json),web/dist/index.html)

.DEFAULT_GOAL := help
.PHONY: help setup demo run test soak fuzz bench fmt lint check web e2e ci build openapi generate screenshot clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what building and testing need
	@scripts/setup

demo: build ## Show Admiral at work: five SSH servers, a console, a live deployment (Ctrl-C ends it)
	@scripts/demo $(BINARY)

run: build ## Start the server; ARGS go to `admiral serve`
	@ADMIRAL_ANSIBLE_BIN="$${ADMIRAL_ANSIBLE_BIN:-$(CURDIR)/.venv/bin}" $(BINARY) serve $(ARGS)

build: setup $(CONSOLE) ## Build the console and the binary
	@cargo build --locked $(CARGO_PROFILE)

test: ## Run every test; FILTER narrows the Rust tests and leaves the others out
	@scripts/setup --test
	@$(if $(CONSOLE),$(MAKE) --no-print-directory $(CONSOLE))
	@scripts/test $(FILTER)

soak: ## Kill servers, workers, supervisors and the database at random for MINUTES (30), then check that nothing is lost
	@scripts/setup --test
	@$(if $(CONSOLE),$(MAKE) --no-print-directory $(CONSOLE))
	@ADMIRAL_SOAK_SECONDS=$$(( $(or $(MINUTES),30) * 60 )) scripts/test --soak

fuzz: export SECONDS_EACH := $(or $(SECONDS),60)
fuzz: ## Fuzz what reads uploads, each target for SECONDS (60); TARGETS="archive form" narrows
	@scripts/setup --test --no-web
	@scripts/fuzz $(TARGETS)

# ROWS, QUICK, ROUNDS and WRITE reach the bench through the environment.
bench: export ROWS := $(ROWS)
bench: export QUICK := $(QUICK)
bench: export ROUNDS := $(ROUNDS)
bench: export WRITE := $(WRITE)
bench: build ## Measure beside peers; ROWS=a,b narrows, QUICK=1 only proves that it works, WRITE=1 writes docs/benchmarks.md
	@cargo bench --quiet --locked $(if $(filter dev,$(ADMIRAL_PROFILE)),--profile dev) --bench bench

fmt: ## Format everything
	@cargo fmt
	@$(if $(CONSOLE),npm --prefix web run --silent format)

lint: ## Clippy, rustdoc and the console's checks, warnings denied
	@cargo fmt --check
	@cargo clippy --locked --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet
	@$(if $(CONSOLE),npm --prefix web run --silent check)

web: setup $(CONSOLE) ## Build the console

$(CONSOLE): $(WEB_SOURCES)
	@npm --prefix web run --silent build
	@touch $@

e2e: ## Run the console's flows in a real browser, against a real server
	@scripts/setup --e2e
	@$(MAKE) --no-print-directory $(CONSOLE)
	@cargo build --locked --profile dev
	@npm --prefix web run --silent e2e

openapi: ## Write the OpenAPI snapshot and the console's client anew
	@cargo run --quiet --locked -- openapi > src/api/openapi.json.new
	@mv src/api/openapi.json.new src/api/openapi.json
	@$(if $(CONSOLE),npm --prefix web run --silent generate && cd web && npx prettier --log-level=warn --write src/api/generated.ts)

generate: openapi ## Write all generated files anew

screenshot: build ## Take the README's screenshot anew
	@scripts/setup --e2e
	@scripts/screenshot $(BINARY)

ci: ## Everything CI runs
	@.ci/run

clean: ## Remove what was built
	@cargo clean
	@rm -rf web/dist web/node_modules .venv .venv-oldest .venv-lint .venv-bench
