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
TORTURE = TestNoKill|TestAFullDisk|TestErrorsOfTheDisk|TestALockedDatabase|TestADatabaseThatIsGone|TestAService|TestWhatWasCleared
VERSION = $$(git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Front-end files: package, version, its licence, and what is taken of it.
HTMX = htmx.org 4.0.1 LICENSE dist/htmx.min.js dist/ext/hx-sse.min.js
BASECOAT = basecoat-css 1.0.2 LICENSE.md dist/basecoat-nova.cdn.min.css
AXE = axe-core 4.14.1 LICENSE axe.min.js

.PHONY: help demo demo-once build test check fuzz torture bench generate static setup

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2} /^##/{sub(/^## ?/, ""); printf "  %15s %s\n", "", $$0}' $(firstword $(MAKEFILE_LIST))

demo: build ## a console to try out, with a simulated service, users and a running job
	@./console demo

demo-once: build ## run the demo's job without the web server and compare it with the service
	@./console demo --once

build: ## build ./console
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$(VERSION)" -o console ./cmd/console

# checkptr asks about every pointer of SQLite, which was translated from C: ten times slower, and not our code.
RACE = go test -race -gcflags=all=-d=checkptr=0 -timeout 40m
# What is measured against a clock runs alone: it needs a core when it asks for one.
CLOCK = ./internal/tim/... ./internal/jobs ./cmd/console

test: $(if $(PKG)$(RUN),,setup check) ## set up, check and run every test, with the race detector
## a part, without setup and check: make test PKG=./internal/jobs RUN=TestName
	@test "$$(go env CGO_ENABLED)" = 1 || { echo "The race detector needs cgo and a C compiler: install gcc, and do not set CGO_ENABLED=0." >&2; exit 1; }
ifneq ($(PKG)$(RUN),)
	$(RACE) -p 1 -parallel 3 $(if $(RUN),-run '$(RUN)') $(or $(PKG),./...)
else
	others=$$(go list ./... | grep -vxF "$$(go list $(CLOCK))") && { \
		$(RACE) -p 2 -parallel 2 $$others; first=$$?; \
		$(RACE) -p 1 -parallel 3 $(CLOCK) && exit $$first; }
endif

check: ## formatting, vet, staticcheck, generated code and go.mod, without tests
	@unformatted=$$(gofmt -l .) || exit 1; test -z "$$unformatted" || { echo "Not formatted by gofmt:" >&2; echo "$$unformatted" >&2; exit 1; }
	@state() { find . -name '*_templ.go' | sort | xargs cksum; }; \
	before=$$(state) && go tool templ generate -log-level warn && after=$$(state) && test "$$before" = "$$after" || \
	{ echo "The templ code was not up to date. It is now: look at it and commit it." >&2; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

fuzz: ## fuzz every target for FUZZTIME (10s) each
	@set -e; for package in $$(go list ./...); do \
		targets=$$(go test -list '^Fuzz' "$$package"); \
		for target in $$(echo "$$targets" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$package"; \
		done; \
	done

torture: setup ## kill consoles 200 times on each engine while everything goes wrong, and break disk and database under them
## fewer, or as an earlier one: make torture KILLS=20 SEED=1; a part: make torture RUN=TestAFullDisk
	TORTURE_KILLS=$(KILLS) TORTURE_SEED=$(SEED) UNDO_ACCOUNTS=$(UNDO) UNDO_KILLS=10 go test -v -count 1 -timeout 90m -run '$(or $(RUN),$(TORTURE))' ./cmd/console

bench: setup ## run every benchmark; a part: make bench PKG=./cmd/console RUN=BenchmarkShareOfTheRate
## beside other job queues, which have a module of their own: make bench PKG=bench
	test "$(PKG)" = bench || go test -run '^$$' -bench '$(or $(RUN),.)' -benchmem -timeout 60m $(or $(PKG),./...)
	test -n "$(filter-out bench,$(PKG))" || { cd bench && go test -run '^$$' -bench '$(or $(RUN),.)' -timeout 60m; }

generate: ## write the Go code of the templates
	go tool templ generate

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
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="$$missing chromium fonts-noto-cjk"; \
	command -v gcc >/dev/null || command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v sqlite3 >/dev/null || missing="$$missing sqlite3"; \
	command -v strace >/dev/null || missing="$$missing strace"; \
	test -n "$$missing" || exit 0; \
	if test "$$(id -u)" = 0 && test -f /etc/debian_version; then \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; \
	else \
		echo "Missing (names of Debian's packages):$$missing" >&2; \
		echo "Install them with your system's package manager; on Debian or Ubuntu:" >&2; \
		echo "  sudo apt-get install --no-install-recommends$$missing" >&2; \
		exit 1; \
	fi
