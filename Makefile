# `make` alone lists what there is. What a target needs is installed first where that is possible:
# .make/ensure.

.DEFAULT_GOAL := help
.PHONY: run test lint bench k6 clean help

run: ## start the server with nothing set up: own Redis, SQLite, a coupon `welcome` (ARGS="..." adds flags)
	@.make/ensure cargo redis
	cargo run --locked --release --bin firstcome -- serve --demo $(ARGS)

test: ## run all tests against real Redis, SQLite and PostgreSQL (ARGS="..." goes to cargo test)
	@.make/ensure cargo redis postgres
	cargo test --locked $(ARGS)

lint: ## check the formatting and the lints
	@.make/ensure cargo lint
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

bench: ## measure issuing against the constant reply and the usual designs, and judge it (ARGS="..." goes to bench/run)
	@.make/ensure cargo redis postgres wrk
	bench/run $(ARGS)

k6: ## run the k6 ramp and the exact-N run with their promises (FAST=yes: a smoke run)
	@.make/ensure cargo redis
	bench/k6/run

clean: ## remove everything that was built
	cargo clean

help: ## list the targets
	@awk -F ': ## ' '/^[a-z0-9]+: ## / { printf "  make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
