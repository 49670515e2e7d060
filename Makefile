# `make` alone lists the targets. .make/ensure first installs what a target needs, where it can.
# Tests wait for servers more than they compute: four at once keep two cores busy.

.DEFAULT_GOAL := help
.PHONY: run release test lint chaos compat bench k6 clean help

run: ## start a server without any set-up: private Redis, SQLite, a coupon `welcome` (DEMO=100000 sets its total; ARGS="..." adds flags)
	@.make/ensure cargo redis
	cargo run --locked --profile first --bin firstcome -- serve --demo$(addprefix =,$(DEMO)) $(ARGS)

release: ## build the fast program, target/release/firstcome (`make run` makes a quick build)
	@.make/ensure cargo
	cargo build --locked --release --bin firstcome

test: ## run all tests against real Redis, SQLite, PostgreSQL and PgBouncer (ARGS="..." goes to cargo test)
	@.make/ensure cargo redis postgres pgbouncer nginx
	RUST_TEST_THREADS=$(or $(RUST_TEST_THREADS),4) cargo test --locked $(ARGS)

lint: ## check the formatting and the lints
	@.make/ensure cargo lint
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

chaos: ## kill, stop and disconnect everything for four minutes, and check the promises (SECONDS=240 PART=redis|server|database|network|recovery SEED=1 RESULTS=counts.txt, PART=aof CUTS=2048 PART=persister KILLS=1000 or PART=recoverer KILLS=200)
	@.make/ensure cargo redis postgres
	FIRSTCOME_CHAOS_SECONDS=$(or $(SECONDS),240) FIRSTCOME_CHAOS_PART=$(PART) FIRSTCOME_CHAOS_SEED=$(SEED) FIRSTCOME_CHAOS_RESULTS=$(abspath $(RESULTS)) FIRSTCOME_CHAOS_CUTS=$(CUTS) FIRSTCOME_CHAOS_KILLS=$(KILLS) cargo test --locked --test it -- --nocapture $(if $(filter aof persister recoverer,$(PART)),chaos::$(PART),kills_stops_cuts_and_restocks)

compat: ## run the tests against Redis 8.2, Valkey 8 and 9 and PgBouncer 1.24 (ARGS="valkey-9" runs one)
	@.make/ensure cargo redis postgres
	tests/compat/run $(ARGS)

bench: ## measure issuing, compare it with the constant reply and the usual designs, and judge the result (ARGS="..." goes to bench/run)
	@.make/ensure cargo redis postgres wrk
	bench/run $(ARGS)

k6: ## run the k6 ramp and the exact-N run, and check the promises (FAST=yes: a smoke run; SCRIPT=yours.js: your script)
	@.make/ensure cargo redis
	bench/k6/run

clean: ## remove everything that was built
	cargo clean

help: ## list the targets
	@awk -F ': ## ' '/^[a-z0-9]+: ## / { printf "  make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
