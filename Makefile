# One line for each step. What needs more is a subcommand of scribe-local; what installs or checks tools is in .ci/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

# On CI nothing may change Cargo.lock, and one failing test must not hide the others.
locked := $(if $(CI),--locked)
# Tests may count on a process of their own, which nextest gives them; without it they run one after the other.
has-nextest := $(shell command -v cargo-nextest)
run-tests := $(if $(has-nextest),nextest run --workspace $(if $(CI),--no-fail-fast),test --workspace --tests) $(locked)
one-by-one := $(if $(has-nextest),,-- --test-threads=1)
target := $(or $(CARGO_TARGET_DIR),target)
# The same packages wherever something is started, or cargo would build their dependencies twice.
build := cargo build $(locked) -p scribe-local -p scribe-lambda --bins
scribe-local := $(target)/debug/scribe-local
# The event that is invoked with, and where the stack is if not at its usual address.
event := --event $(or $(EVENT),events/turn.json) $(if $(SCRIBE_ADDR),--api http://$(SCRIBE_ADDR))
bootstrap := $(target)/lambda/summarizer/bootstrap
sweeper := $(target)/lambda/sweeper/bootstrap
# cargo-lambda finds zig through the Python beside it, so the folder comes first, and only where it is wanted.
with-tools := PATH="$(CURDIR)/.tools/lambda/bin:$(CURDIR)/.tools/sam/bin:$$PATH" SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1
# The page. Its types are made from the API's description; a folder counts as changed when a file in it goes.
ui := crates/scribe-web/ui
ui-packages := $(ui)/node_modules/.package-lock.json
ui-sources := $(shell find $(ui)/src $(ui)/public) $(addprefix $(ui)/,index.html vite.config.ts tsconfig.json) crates/scribe-api/openapi.json
built-page := $(ui)/dist/index.html
title = @printf '\n== %s, %(%T)T\n' "$@"

.PHONY: help run test page soak pace latency api-fuzz fuzz quality import invoke invoke-bare function fmt ci format types clippy docs template bootstrap clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done

run: $(built-page) ## Start everything on 127.0.0.1:3000, until Ctrl-C; documents stay in .scribe/
	@.ci/install compiler $(if $(REDIS_URL),,redis)
	$(build)
	@exec $(scribe-local) run

test: $(built-page) ## Run all tests
	$(title)
	@.ci/install compiler redis chromium moto seaweedfs schemathesis openai npm
	cargo build $(locked) --workspace --bins --tests
	cargo test $(locked) --workspace --doc --quiet
	cargo $(run-tests) $(one-by-one)

page: $(built-page) ## Build the page, as `make run` and `make test` do; cargo alone puts a placeholder in its place

$(built-page): $(ui-packages) $(ui-sources)
	cd $(ui) && npm run build

$(ui-packages): $(ui)/package.json $(ui)/package-lock.json
	@.ci/install node
	cd $(ui) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

soak: ## Random schedules of faults: MINUTES=30 [SEED=… [SCHEDULE=…]], to see one again
	@.ci/install compiler redis
	cargo build $(locked) --workspace --bins
	SOAK_MINUTES=$(or $(MINUTES),30) SOAK_SEED=$(SEED) SOAK_SCHEDULE=$(SCHEDULE) cargo test $(locked) -p tests --test it -- \
		--exact soak::no_schedule_of_faults_loses_or_doubles_a_turn --nocapture

pace: ## Measure turns with a model at a real one's pace; 800 of them in a row take 20 minutes
	@.ci/install compiler redis
	cargo build $(locked) --workspace --bins
	PACE_ALL=1 cargo test $(locked) -p tests --test it -- pace:: --nocapture

latency: ## Measure what the API adds to a chat's stream, optimized: at most 1 ms; the first build takes a while
	@.ci/install compiler redis
	CARGO_PROFILE_DEV_OPT_LEVEL=2 CHAT_LATENCY_MS=1 cargo test $(locked) --target-dir $(target)/optimized -p tests --test it -- \
		--exact chat::latency::little_is_added_to_the_first_and_to_the_last_byte --nocapture

api-fuzz: ## Ask the API everything that its description allows, and what it does not: MINUTES=10
	@.ci/install compiler redis schemathesis
	cargo build $(locked) --workspace --bins
	API_FUZZ_MINUTES=$(or $(MINUTES),10) cargo test $(locked) -p tests --test it -- --exact \
		api_fuzz::the_api_answers_as_its_description_says --nocapture

fuzz: ## Fuzz reading and weaving: MINUTES=10; needs a nightly compiler and cargo-fuzz
	mkdir -p crates/scribe-core/fuzz/corpus/weave
	cd crates/scribe-core && cargo +nightly fuzz run weave fuzz/corpus/weave fuzz/seeds -- \
		-dict=fuzz/dictionary -max_len=2000 -max_total_time=$$(($(or $(MINUTES),10) * 60))

quality: ## Measure the documents that a real model writes: OPENAI_API_KEY=… or OPENAI_BASE_URL=… [QUALITY_ONLY=trip]
	@.ci/install compiler redis
	QUALITY=1 cargo test $(locked) -p tests --test it -- --exact quality::documents_keep_what_was_said --nocapture

import: ## Send a transcript through `make run`: FILE=transcript.jsonl [TITLE="The title"] [ONLY=3] [LIST=1]
	@$(if $(FILE),,$(error which transcript? make import FILE=transcript.jsonl [TITLE="The title"]))$(build) --quiet
	@exec $(scribe-local) import --file "$$FILE" $(if $(TITLE),--title "$$TITLE") $(if $(ONLY),--only "$$ONLY") $(if $(LIST),--list)

invoke: ## Run events/turn.json (or EVENT=…) through `sam local invoke` against `make run`; needs Docker
	@$(build) --quiet
	@$(scribe-local) invoke --check $(event)
	@.ci/install lambda sam
	$(with-tools) sam build
	@$(with-tools) exec $(scribe-local) invoke $(event)

invoke-bare: function ## The same without Docker, in AWS's runtime emulator
	@.ci/install sam
	@$(build) --quiet
	@exec $(scribe-local) invoke-bare $(event) --bootstrap $(bootstrap)

function: ## Build the functions for Amazon Linux
	@.ci/install compiler lambda
	$(with-tools) cargo lambda build $(locked) --release -p scribe-lambda --bins

fmt: ## Format the code
	cargo fmt --all

ci: format types page template clippy docs bootstrap test ## Check everything, the tests last

format:
	$(title)
	cargo fmt --all --check

# Before the page is built, which would mend it.
types: $(ui-packages)
	$(title)
	cd $(ui) && npm run --silent types -- --check

template:
	$(title)
	@.ci/install sam
	$(with-tools) sam validate --lint
	$(with-tools) cfn-lint template.yaml

clippy:
	$(title)
	cargo clippy $(locked) --workspace --all-targets -- -D warnings

docs:
	$(title)
	RUSTDOCFLAGS="-D warnings" cargo doc $(locked) --workspace --no-deps

bootstrap: function
	@.ci/install objdump
	.ci/check-bootstrap $(bootstrap)
	.ci/check-bootstrap $(sweeper)

clean: ## Remove what was built; tools and documents stay
	cargo clean
	rm -rf .aws-sam $(ui)/dist
