# Livetwin. `make help` lists the targets; everything built lands in build/.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# One set of build flags everywhere, so that binaries, tests and linters share one build cache
# and a binary is the same to the byte on every machine.
export GOFLAGS     := -trimpath -buildvcs=false
export GOTOOLCHAIN := local
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/build/jsii
export npm_config_update_notifier := false
export CDK_DISABLE_CLI_TELEMETRY := true

STAGE ?= local
TWIN  ?= examples/battery-storage/twin.yaml
PORT  ?= 4566
# DATA is a folder of telemetry for `make demo`; without it a plant is simulated.
DATA  ?=
# FUZZTIME is how long `make fuzz` tries each target, BENCHTIME how long a benchmark runs.
FUZZTIME  ?= 20s
BENCHTIME ?= 1s

host     := $(shell go env GOARCH)
lambdas  := $(filter-out calibrate,$(notdir $(patsubst %/,%,$(dir $(wildcard functions/*/main.go))))) \
            $(addprefix connector-,$(notdir $(patsubst %/,%,$(dir $(wildcard connectors/*/main.go)))))
lambda_flags := -tags lambda.norpc -ldflags="-s -w -buildid="

.PHONY: help demo up test check synth lambdas bench fuzz golden clean build tools format vet lint unit system race

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: build lambdas ## run the whole loop with no account; DATA=DIR replays telemetry of your own
	build/livetwin demo $(if $(DATA),--data $(DATA))

up: build lambdas synth ## start the local AWS endpoint with the example twin and stay up
	build/awslocal up build/cdk.out/$(STAGE) --port $(PORT) --state build/up --tools node_modules --models build/models

test: build lambdas synth unit system ## every test: unit, contract, CDK, system

check: format vet lint build ## format, vet, lint, and both processor types build and synthesise
	$(MAKE) lambdas synth STAGE=dev
	$(MAKE) synth STAGE=prod

# ---- what is built

build: node_modules/.package-lock.json ## build the CLI, the CDK app and the local endpoint
	@mkdir -p build
	go build -o build/livetwin ./cmd/livetwin
	go build -o build/infra ./infra
	cd test/awslocal && CGO_ENABLED=0 go build -o ../../build/awslocal ./cmd/awslocal
	cd test/awslocal && CGO_ENABLED=0 go run ./cmd/fetchmodels -o ../../build/models

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# A stage's processor decides where its binaries go: x86-64 in build/lambda and build/image, arm64 beside them.
stage_arch = $(if $(filter local,$(STAGE)),$(host),arm64)
suffix     = $(if $(filter arm64,$(stage_arch)),-arm64)

lambdas: ## build every function and the Batch image's folder for STAGE's processor
	@for name in $(lambdas); do \
	  dir=functions/$$name; [[ $$name == connector-* ]] && dir=connectors/$${name#connector-}; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$(stage_arch) go build $(lambda_flags) -o build/lambda$(suffix)/$$name/bootstrap ./$$dir; \
	done
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(stage_arch) go build $(lambda_flags) -o build/image$(suffix)/calibrate/calibrate ./functions/calibrate
	@cp functions/calibrate/Dockerfile build/image$(suffix)/calibrate/

synth: build lambdas ## synthesise STAGE's templates into build/cdk.out/STAGE
	@mkdir -p build/cdk.out
	npx cdk synth --strict --quiet -c twin=$(TWIN) -c stage=$(STAGE) -o build/cdk.out/$(STAGE)

# ---- what is checked

tool = go tool -modfile=$(CURDIR)/.ci/tools/go.mod

format:
	@unformatted=$$($(tool) gofumpt -l $$(git ls-files '*.go')); \
	  if [[ -n $$unformatted ]]; then echo "not formatted; run gofumpt -w on:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet ./...
	cd test/awslocal && go vet ./...

lint:
	$(tool) golangci-lint run -c .ci/golangci.yml ./...
	cd test/awslocal && $(tool) golangci-lint run -c ../../.ci/golangci.yml ./...

# The race detector watches everything but the CDK app, whose jsii runtime races with itself.
unit:
	go test -race -shuffle=on -timeout 30m $$(go list ./... | grep -vE '/(infra|test/system)(/|$$)')
	go test -shuffle=on ./infra/...
	cd test/awslocal && go test -race -shuffle=on -timeout 30m ./...

system: build lambdas synth
	go test -count=1 -timeout 20m ./test/system/...

bench: ## run the benchmarks, each beside its baseline
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $$(go list ./... | grep -vE '/(infra|test/system)(/|$$)')
	cd test/awslocal && go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

fuzz: ## fuzz every target for FUZZTIME
	@for module in . test/awslocal; do (cd $$module; \
	  grep -rlE '^func Fuzz' --include='*_test.go' . | grep -v node_modules | grep -v '^./build/' | { [[ $$module == . ]] && grep -v '^./test/awslocal/' || cat; } | while read -r file; do \
	    for target in $$(grep -oE '^func Fuzz[A-Za-z0-9_]*' $$file | cut -d' ' -f2); do \
	      echo "fuzz $$target in $$(dirname $$file)"; go test -run '^$$' -fuzz "^$$target$$" -fuzzminimizetime 1x -fuzztime $(FUZZTIME) $$(dirname $$file); \
	    done; done); done

golden: ## rewrite golden files; read the diff before you commit it
	UPDATE_GOLDEN=1 go test ./internal/... ./functions/... ./connectors/... ./events/... ./cmd/... >/dev/null
	git diff --stat

clean: ## remove everything built and the local endpoint's state
	rm -rf build
