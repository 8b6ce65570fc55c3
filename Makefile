# Holdfast. Every target works from a fresh clone: what is missing is installed first.
.DEFAULT_GOAL := help
.PHONY: help up down test lint format soak bench bench-operator

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

up: node_modules/.package-lock.json ## a cluster with Holdfast and two tenants; CLUSTER=current|kind|local
	@npm run --silent up

down: node_modules/.package-lock.json ## undo `make up`
	@npm run --silent down

test: node_modules/.package-lock.json ## all that CI runs
	@npm run --silent test

lint: node_modules/.package-lock.json ## format check, lint, types
	@npm run --silent lint

format: node_modules/.package-lock.json ## format the sources
	@npm run --silent format

soak: node_modules/.package-lock.json ## the long forms of the tests
	@npm run --silent soak

bench: node_modules/.package-lock.json ## figures
	@npm run --silent bench

bench-operator: node_modules/.package-lock.json ## figures of the operator with 10, 100 and 1,000 organizations
	@npm run --silent bench-operator
