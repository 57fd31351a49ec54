# `make run` and `make test` are the two that matter; `make help` lists all.
GO     ?= go
BINS   := l2fwd testpmd pktgen vhostdev devbind
BENCH  ?= .
FUZZTIME ?= 20s
# Git refuses root in a clone that another user owns: no revision then.
STAMP  := $(shell git status >/dev/null 2>&1 || echo -buildvcs=false)
# make build VERSION=v1.2.3 stamps that version in; without it Go records the
# tag or the revision of the work tree.
VERSION ?=
ifneq ($(VERSION),)
STAMP  += -ldflags '-X github.com/virtio-pmd/virtio-pmd/apps/internal/version.stamped=$(VERSION)'
endif
export CGO_ENABLED = 0

.NOTPARALLEL:
.PHONY: help build run test test-unit test-race test-vm bench bench-dpdk bench-pktgen bench-rate bench-rfc2544 bench-limit bench-step bench-wake lint fuzz check deps release clean
.DEFAULT_GOAL := build

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS="$$(printf '\t')" read -r target text; do printf '  make %-13s %s\n' "$$target" "$$text"; done

build: $(BINS:%=bin/%) ## static commands into bin/; VERSION=v1.2.3 stamps a version in

bin/%: FORCE
	@$(GO) build -trimpath $(STAMP) -o $@ ./apps/$*

run: bin/l2fwd ## watch l2fwd forward between two software devices for 10 s
	bin/l2fwd --duration 10s emu:gen emu:null

deps: ## install what the tests need (scripts/deps.sh -n shows it only)
	scripts/deps.sh

test: deps lint test-unit test-race test-vm ## everything

# The suite that takes longest is listed first, so that it runs beside the others.
test-unit: build ## packages and commands, no guests
	$(GO) test -count=1 ./test/vhost $$($(GO) list ./... | grep -v -e /test/vm -e /test/vhost)

test-race: ## packages under the race detector, without commands and suites
	CGO_ENABLED=1 $(GO) test -count=1 -race $$($(GO) list ./... | grep -v -e /test/ -e /apps)

test-vm: build ## QEMU guests: VFIO with and without IOMMU
	$(GO) test -count=1 -timeout 20m ./test/vm/...

bench: ## ns a packet and allocations against the software device
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./driver ./driver/internal/virtq ./driver/mbuf

bench-dpdk: build ## the race against DPDK, most of an hour; PERF='--short' for a look
	$(GO) run ./test/perf $(PERF)

bench-pktgen: build ## pktgen's packets a second beside both testpmd's, at a DPDK back end; PERF as above
	$(GO) run ./test/perf --pktgen $(PERF)

bench-rate: ## rates from 1 kpps to 1 Mpps over an emulated cable, 10 s each, to be met within 0.5 %
	$(GO) test -count=1 -v -run RateAccuracy ./apps/pktgen/generator -accuracy 10s

bench-rfc2544: build ## RFC 2544's sizes through l2fwd, searched by pktgen: report in bin/rfc2544, a few minutes; RFC2544='--options'
	$(GO) run ./test/perf/rfc2544 -- $(RFC2544)

bench-limit: ## the driver's loop against what two cores can exchange
	$(GO) run ./test/perf/limit $(PERF)

bench-step: ## cycles of a packet in the driver alone, beside DPDK's, in a few minutes
	$(GO) run ./test/perf/step $(PERF)

bench-wake: build ## packets that each wake a sleeper, 100,000 for each of software device, vhost-user, DPDK and guest: microseconds
	$(GO) test -count=1 -timeout 20m -v -run EachPacketWakes ./driver -wakes 17000
	$(GO) test -count=1 -timeout 20m -v -run 'EachPacket.*Wakes' ./test/vhost -wakes 25000
	$(GO) test -count=1 -timeout 30m -v -run TestIOMMU/wakes ./test/vm -wakes 50000

lint: ## vet, formatting, dependency rules, module tidiness
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	@! command -v gcc >/dev/null || CGO_ENABLED=1 $(GO) vet ./test/perf/step/...
	$(GO) mod tidy -diff
	$(GO) test -count=1 ./test/lint

fuzz: ## every fuzz target in turn, FUZZTIME (20s) each
	scripts/fuzz.sh $(FUZZTIME)

check: lint ## quick check before a commit: what needs nothing but Go
	$(GO) test -count=1 $$($(GO) list ./... | grep -v -e /test/vm -e /test/vhost -e /test/perf)

release: ## archives of the commands for amd64 and arm64, with checksums, in bin/release; needs VERSION
	scripts/release.sh $(VERSION)

clean: ## remove bin/
	rm -rf bin

FORCE:
