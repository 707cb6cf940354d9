# All that is done with this repository, by people and by CI alike. It needs Go;
# what needs more (a Docker engine, Chromium) says so when it is missing.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GOFLAGS_BUILD = -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
TOOL = go tool -modfile=tools/go.mod

.PHONY: build test check fmt demo bench clean

build: ## bin/abide: one static binary
	CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o bin/abide ./cmd/abide

test: ## every test, with the race detector where there is a C compiler; says at its end what could not run
	@scripts/test ./...

check: ## formatting, vet, staticcheck, and the rules of the house (layers, docs)
	@scripts/check

fmt: ## format what check would refuse
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

demo: ## a repository, a commit, its plan, run and events: the whole way in under a minute
	@go run ./internal/demo

bench: ## what is promised about speed and size, beside its peers, into BENCHMARKS.md
	go run ./internal/bench -write

clean: ## what the targets above made
	rm -rf bin
