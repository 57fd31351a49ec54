# The menu. `make run` and `make test` are the two that matter.
GO     ?= go
BINS   := l2fwd testpmd vhostdev devbind
BENCH  ?= .
FUZZ   ?= 20s
export CGO_ENABLED = 0

.PHONY: build run test test-unit test-race test-vm bench bench-dpdk bench-limit lint fuzz check deps clean
.DEFAULT_GOAL := build

build: $(BINS:%=bin/%) ## static commands into bin/

bin/%: FORCE
	@$(GO) build -trimpath -o $@ ./apps/$*

run: bin/l2fwd ## watch l2fwd forward between two software devices for 10 s
	bin/l2fwd --duration 10s emu:gen emu:null

deps: ## install what the tests need (scripts/deps.sh -n shows it only)
	scripts/deps.sh

test: deps lint test-unit test-race test-vm ## everything

test-unit: build ## packages and commands, no guests
	$(GO) test -count=1 $$($(GO) list ./... | grep -v /test/vm)

test-race: ## the same packages under the race detector
	CGO_ENABLED=1 $(GO) test -count=1 -race $$($(GO) list ./... | grep -v -e /test/ -e /apps)

test-vm: build ## QEMU guests: VFIO with and without IOMMU
	$(GO) test -count=1 -timeout 20m ./test/vm/...

bench: ## ns a packet and allocations against the software device
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./driver ./driver/virtq ./driver/mbuf

bench-dpdk: build ## the race against DPDK, half an hour; PERF='--short' for a look
	$(GO) run ./test/perf $(PERF)

bench-limit: ## the driver's loop against what two cores can exchange
	$(GO) run ./test/perf/limit $(PERF)

lint: ## vet, formatting, dependency rules, module tidiness
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) test -count=1 ./test/lint

fuzz: ## every fuzz target for FUZZ (20s)
	scripts/fuzz.sh $(FUZZ)

check: lint test-unit ## quick check before a commit

clean:
	rm -rf bin

FORCE:
