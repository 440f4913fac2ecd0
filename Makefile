SHELL = /bin/sh
.DEFAULT_GOAL := help

# What a part of `make test` is; empty means everything.
PKG =
RUN =
FUZZTIME = 10s

# How often `make torture` kills consoles on each engine; SEED repeats the choices of an earlier one.
KILLS = 200
# How many accounts it inspects, clears and puts back, killed ten times at each.
UNDO = 300000
SEED =
TORTURE = TestTorture|TestOutage|TestKill9|TestSuspended|TestUndoPutsBackEveryTag
VERSION = $$(git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Front-end files: package, version, its licence, and what is taken of it.
HTMX = htmx.org 4.0.1 LICENSE dist/htmx.min.js dist/ext/hx-sse.min.js
BASECOAT = basecoat-css 1.0.2 LICENSE.md dist/basecoat-nova.cdn.min.css
AXE = axe-core 4.14.1 LICENSE axe.min.js

.PHONY: help demo demo-once build test check race prove fuzz torture bench generate static sbom setup

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2} /^##/{sub(/^## ?/, ""); printf "  %15s %s\n", "", $$0}' $(firstword $(MAKEFILE_LIST))

demo: build ## a console to try out, with a simulated service, users and a running job
	@./console demo

demo-once: build ## run the demo's job without the web server and compare it with the service
	@./console demo --once

build: ## build ./console
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$(VERSION)" -o console ./cmd/console

# Databases of tests stand in memory where the machine has a folder for that with
# 4 GB free. What is built stays on the disk: programs may not run in that folder.
IN_MEMORY = export GOTMPDIR="$${TMPDIR:-/tmp}"; room=$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}'); \
	test "$${room:-0}" -lt 4000000 || { \
		TMPDIR=$$(mktemp -d /dev/shm/tagsweep-XXXXXX) && chmod 755 "$$TMPDIR" && export TMPDIR && \
		trap 'rm -rf "$$TMPDIR"' EXIT && trap 'exit 130' INT TERM; }
# CI takes no result from an earlier run.
TEST = go test $(if $(CI),-count=1) -timeout 40m $(if $(RUN),-run '$(RUN)')
# checkptr asks about every pointer of SQLite, which was translated from C: ten times
# slower, and not our code. Leaving SQLite out of the detector altogether would show
# races that are none: what it shares of generic code would be left out for all.
RACE = $(TEST) -race -gcflags=all=-d=checkptr=0
# The packages that start goroutines.
CONCURRENT = ./cmd/console ./web ./internal/engine ./internal/jobs ./internal/store ./internal/tim/...

test: $(if $(PKG)$(RUN),,setup check) ## set up, check and run every test
## a part, without setup and check: make test PKG=./internal/jobs RUN=TestName
ifneq ($(PKG)$(RUN),)
	@$(IN_MEMORY); $(TEST) -p 1 -parallel 4 $(or $(PKG),./...)
else
	@$(IN_MEMORY); $(TEST) -p 2 -parallel 4 $$(go list ./... | grep -v /cmd/); others=$$?; \
	$(TEST) -parallel 8 ./cmd/... && exit $$others # the consoles and the browser need a core when they ask for one
endif

race: setup ## run the tests of the packages that start goroutines with the race detector
	@test "$$(go env CGO_ENABLED)" = 1 || { echo "The race detector needs cgo and a C compiler: install gcc, and do not set CGO_ENABLED=0." >&2; exit 1; }
	@$(IN_MEMORY); $(RACE) -p 1 -parallel 3 $(or $(PKG),$(CONCURRENT))

prove: setup check ## what takes long: every test with the race detector, every page in every look, fuzzing, torture
	TAGSWEEP_PROVE=1 $(MAKE) race PKG=./...
	$(IN_MEMORY); $(TEST) ./internal/jobs -rapid.checks 100
	$(MAKE) fuzz
	$(MAKE) torture

check: ## formatting, vet, staticcheck, generated code and go.mod, without tests
	@unformatted=$$(gofmt -l .) || exit 1; test -z "$$unformatted" || { echo "Not formatted by gofmt:" >&2; echo "$$unformatted" >&2; exit 1; }
	@state() { find . -name '*_templ.go' | sort | xargs cksum; }; \
	before=$$(state) && go tool templ generate -log-level warn && after=$$(state) && test "$$before" = "$$after" || \
	{ echo "The templ code was not up to date. It is now: look at it and commit it." >&2; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff
	cd bench && go mod tidy -diff && go vet ./... && go tool -modfile=../go.mod staticcheck ./...

fuzz: ## fuzz every target for FUZZTIME (10s) each
	@set -e; packages=$$(go list ./...); for package in $$packages; do \
		targets=$$(go test -list '^Fuzz' "$$package"); \
		for target in $$(echo "$$targets" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$package"; \
		done; \
	done

torture: setup ## kill consoles 200 times on each engine while everything goes wrong, and break disk and database under them
## fewer, or as an earlier one: make torture KILLS=20 SEED=1; a part: make torture RUN=TestOutageOfDisk
	TAGSWEEP_PROVE=1 TORTURE_KILLS=$(KILLS) TORTURE_SEED=$(SEED) UNDO_ACCOUNTS=$(UNDO) UNDO_KILLS=10 go test -v -count 1 -timeout 90m -run '$(or $(RUN),$(TORTURE))' ./cmd/console

bench: setup ## run every benchmark; a part: make bench PKG=./cmd/console RUN=BenchmarkShareOfTheRate
## beside other job queues, which have a module of their own: make bench PKG=bench
	test "$(PKG)" = bench || go test -run '^$$' -bench '$(or $(RUN),.)' -benchmem -timeout 60m $(or $(PKG),./...)
	test -n "$(filter-out bench,$(PKG))" || { cd bench && go test -run '^$$' -bench '$(or $(RUN),.)' -timeout 60m; }

generate: ## write the Go code of the templates
	go tool templ generate

sbom: ## list what ships: NOTICE with its licences, and a bill of materials (CycloneDX) in sbom.cdx.json
	go run ./cmd/sbom "$(VERSION)" sbom.cdx.json

static: ## fetch the pinned front-end files again (needs npm)
	@set -e; command -v npm >/dev/null || { echo "npm is missing: install Node.js." >&2; exit 1; }; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	fetch() { \
		into=$$1/$$2-$$3; package=$$2@$$3; licence=$$4; shift 4; \
		rm -rf "$$work/package"; \
		archive=$$(npm pack --silent --pack-destination "$$work" "$$package"); \
		tar -xzf "$$work/$$archive" -C "$$work"; \
		rm -rf "$$into"; mkdir -p "$$into"; \
		for file in "$$licence" "$$@"; do cp "$$work/package/$$file" "$$into/"; done; \
		echo "$$into"; \
	}; \
	fetch web/static/vendor $(HTMX); \
	fetch web/static/vendor $(BASECOAT); \
	fetch web/testdata $(AXE)

setup: ## see to PostgreSQL, Chromium, gcc, sqlite3 and strace for tests and benchmarks; on Debian as root it installs them
	@missing=; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	for browser in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$browser >/dev/null && break; browser=; done; \
	test -n "$$browser" || missing="$$missing chromium fonts-noto-cjk"; \
	command -v gcc >/dev/null || command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v sqlite3 >/dev/null || missing="$$missing sqlite3"; \
	command -v strace >/dev/null || missing="$$missing strace"; \
	test -n "$$missing" || exit 0; \
	if test "$$(id -u)" = 0 && test -f /etc/debian_version; then \
		apt-get update; \
		if apt-cache show chromium-headless-shell >/dev/null 2>&1; then missing=$$(echo "$$missing" | sed 's/chromium/chromium-headless-shell/'); fi; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; \
	else \
		echo "Missing (names of Debian's packages):$$missing" >&2; \
		echo "Install them with your system's package manager; on Debian or Ubuntu:" >&2; \
		echo "  sudo apt-get install --no-install-recommends$$missing" >&2; \
		exit 1; \
	fi
