# `make` lists the targets. The finance stack's names (start to clean) are those that its users know.

.DEFAULT_GOAL := help
.PHONY: help demo layers invoices northwind test simulate fuzz workloads campaign bench bench-quick \
        bench-micro build format lint test-unit test-integration test-versions start configure status logs \
        analytics query-views api-docs stop restart clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##/ {printf "\n%s\n", substr($$0, 4)} \
	    /^[a-z-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## See it work
demo: ## install what is missing, build, and show the history of live traffic (then stop)
	@scripts/demo

layers: ## examples/layers from nothing: change log, state, reports, checks (then stop)
	@scripts/layers

invoices: ## examples/invoices from nothing: reports, a join, a risk model for each invoice (then stop)
	@scripts/invoices

northwind: ## a daily pipeline with day folders, a CSV file and a query: examples/northwind, checked
	@scripts/northwind

## Develop
build: ## build the release binary: build/release/pgchronicle
	@scripts/install-deps --run-only
	cmake --preset release
	cmake --build build/release

test: ## everything: build dev, asan and release, format, lint, unit and integration tests
	@scripts/test

test-unit: ## the unit tests of the dev build
	@scripts/test unit

test-integration: ## the integration tests of the dev build, on servers they start themselves
	@scripts/test integration

test-versions: ## values, keys, shapes, protocol: sources 14 to 18, targets 15 and 18 (an hour)
	@scripts/install-deps
	@scripts/test-versions

simulate: ## the session through simulated crashes and lost replies, SEEDS=20000 (tests/README.md)
	@scripts/install-deps
	cmake --preset dev
	cmake --build build/dev --target simulate
	@build/dev/tests/simulate $(or $(SEEDS),20000)

fuzz: ## fuzz targets under libFuzzer, ten minutes each; SECONDS=60 make fuzz (docs/reliability.md)
	@scripts/fuzz

workloads: ## workloads that check themselves, 100,000 transactions: half an hour (docs/reliability.md)
	@scripts/workloads

campaign: ## kills and 70 other kinds of fault, an hour or SECONDS=n (docs/reliability.md)
	@scripts/campaign $(or $(SECONDS),3600)

bench: build ## measure the speed against the references: an hour or more (bench/README.md)
	@scripts/install-deps
	@bench/run

bench-micro: ## what decoding and planning one row costs, without servers (bench/micro/README.md)
	@scripts/install-deps --bench-only
	cmake --preset release
	cmake --build build/release --target bench_micro
	@build/release/bench/bench_micro

bench-quick: build ## the same at a small size: under five minutes, rough figures
	@scripts/install-deps
	@bench/run --quick

format: ## format the C++ sources in place
	@scripts/install-deps
	@scripts/format

lint: ## format check, include rules, packaging, clang-tidy (minutes)
	@scripts/install-deps
	@scripts/lint --tidy

## The finance stack
start: ## start source, live traffic, target and pgchronicle, and leave them running
	@scripts/stack start

configure: ## check that nothing would stop or surprise pgchronicle (pgchronicle check)
	@scripts/stack check

status: ## state, lag, tables (pgchronicle status)
	@scripts/stack status

logs: ## follow pgchronicle's log
	@scripts/stack logs

analytics: ## reports: top customers, top products, orders by status, customers over time
	@scripts/stack analytics

query-views: ## the four views
	@scripts/stack views

api-docs: ## where the page and the HTTP API are
	@scripts/stack docs

stop: ## stop the stack; the target is emptied, the source is kept
	@scripts/stack stop

restart: ## start again with a fresh target
	@scripts/stack restart

clean: ## stop the stack, remove its data and the build folder
	@scripts/stack clean
	rm -rf build
