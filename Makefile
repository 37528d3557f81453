# What people and CI run. `make help` lists it; everything that is made goes below target/.
#
# Needs a Rust toolchain, Python 3 and Node.js; the rest is installed at pinned versions, without
# root, by tests/servers/install.sh and benches/install.sh.

.DELETE_ON_ERROR:
.SUFFIXES:

CARGO ?= cargo
PYTHON ?= python3

# Each feature builds without the others. `cloud` and `decompress` are parts of others.
FEATURES := cli s3 gcs azure http gzip zstd bzip2 xz lz4 tar encoding bar tracing

.PHONY: help
help: ## This list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: lint golden examples unit features servers command-on-cluster ## Everything below, as CI runs it; of the cluster, the command.

.PHONY: lint
lint: ## Formatting, lints and links of the documentation, warnings forbidden; licences and advisories of dependencies.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --all-features
	.ci/deny.sh

.PHONY: advisories
advisories: ## Takes what RustSec knows of our dependencies today; needs a network. `make lint` checks it.
	.ci/deny.sh update

.PHONY: golden
golden: ## The golden outputs are what fixtures/golden.py counts.
	$(PYTHON) fixtures/golden.py --check

.PHONY: examples
examples: ## Builds the examples; the tests run them.
	$(CARGO) build --examples

.PHONY: unit
unit: ## Unit, property, promise and documentation tests: all that need no server.
	$(CARGO) test --workspace

.PHONY: features
features: ## The library builds without features, with each alone, and for the fuzzer, without a warning.
	$(CARGO) clippy --workspace --no-default-features -- -D warnings
	$(CARGO) clippy --lib -- -D warnings --cfg fuzzing
	@for feature in $(FEATURES); do \
		echo "$(CARGO) clippy --no-default-features --features $$feature"; \
		$(CARGO) clippy --quiet --no-default-features --features $$feature -- -D warnings || exit 1; \
	done

.PHONY: servers
servers: ## The same promises over S3, GCS, Azure, HTTP and the disk, on real servers.
	tests/servers/install.sh
	$(CARGO) test --test servers

# Files of tests of python/creel-dask; all of them unless some are named.
CLUSTER ?=

.PHONY: cluster
cluster: ## Programs on a real Dask cluster: its package typed, its promises kept, also by SeaweedFS. About ten minutes.
	tests/servers/install.sh
	tests/cluster/install.sh
	$(CARGO) build --bin creel --example on_cluster --example cluster
	cd python/creel-dask && ../../target/cluster/client/bin/mypy && \
		CREEL="$(CURDIR)/target/debug/creel" EXAMPLES="$(CURDIR)/target/debug/examples" ../../target/cluster/client/bin/pytest $(CLUSTER)

.PHONY: command-on-cluster
command-on-cluster: ## The part of it that runs the command, and what the documentation shows.
	$(MAKE) cluster CLUSTER='tests/test_command.py tests/test_documentation.py tests/test_graph.py tests/test_rust.py'

.PHONY: bench
bench: target/tools/bin/rg ## creel beside its peers on 1 GB of text: a table and raw results. BENCH='words --rounds 3' and so on.
	benches/install.sh
	tests/servers/install.sh
	tests/cluster/install.sh
	$(CARGO) build --release --manifest-path benches/peers/chains/Cargo.toml --target-dir target/bench/chains
	$(CARGO) build --release --bin creel --example lent_count --example owned_count --example generate \
		--example generate_json --example generate_keys --example integers --example decompress --example fetch --example delay \
		--example expensive --example tasks
	$(PYTHON) benches/run.py $(BENCH)

target/tools/bin/rg:
	$(CARGO) install ripgrep --version 15.2.0 --locked --root target/tools

.PHONY: tasks
tasks: ## What a task costs, beside dask, rayon and tokio: a table and raw results. TASKS='--sizes 1000' and so on.
	benches/install.sh
	$(CARGO) build --release --example tasks
	$(PYTHON) benches/tasks.py $(TASKS)

.PHONY: kernels
kernels: ## The hot loops alone, by criterion.
	$(CARGO) bench --bench kernels

# Miri interprets: a few cases of each property have to do. It interprets other processors too, so that their
# vectors (AArch64's NEON), and the way without vectors, are compared with the plain twins here.
MIRI = PROPTEST_CASES=8 MIRIFLAGS=-Zmiri-disable-isolation \
	$(CARGO) +nightly miri test --package creel-kernels --target-dir target/miri

.PHONY: miri
miri: ## The kernels, where `unsafe` is, under miri, for three processors; needs nightly with miri and rust-src.
	$(MIRI)
	$(MIRI) --lib --target aarch64-unknown-linux-gnu
	$(MIRI) --lib --target riscv64gc-unknown-linux-gnu -- plain sixteen spaces

# Seconds for each target.
FUZZ ?= 60

.PHONY: fuzz
fuzz: target/tools/bin/cargo-fuzz ## Parsers and readers against any input, FUZZ=60 seconds each; needs a nightly toolchain.
	@for target in records damage codecs program pattern words json command state; do \
		echo "fuzzing $$target"; \
		PATH="$(CURDIR)/target/tools/bin:$$PATH" $(CARGO) +nightly fuzz run --target-dir target/fuzz \
			$$target -- -max_total_time=$(FUZZ) -rss_limit_mb=4096 -timeout=20 || exit 1; \
	done

target/tools/bin/cargo-fuzz:
	$(CARGO) install cargo-fuzz --version 0.13.2 --locked --root target/tools
