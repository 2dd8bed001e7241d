# The two commands of the README are `make demo` and `make test`.
SHELL := /bin/bash
SWIFT ?= swift
PROGRAM = .build/release/spikingbrain
DEMO = .build/demo
C_FILES = $(wildcard Sources/C*/*.[ch] Sources/C*/*/*.[ch])
# What every compiler reads: the Python files are embedded by that of Swift.
PLAIN_C = $(filter-out %/CModelCode.c,$(filter %.c,$(C_FILES)))
PACKAGES = libopenblas0 libssl-dev libhdf5-dev libzstd-dev libdeflate-dev libutf8proc-dev pkg-config

# What --version says.
export SPIKINGBRAIN_COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)

.PHONY: setup build build-mpi install deb test demo examples lint bench fuzz sbom heal-study spiking-study check-all check-mpi clean

# Installs what is missing; asks for root only when something is.
setup:
	@missing=""; for p in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'install ok' || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
	  root=""; [ "$$(id -u)" = 0 ] || root="sudo"; \
	  echo "installing$$missing"; \
	  $$root apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$root apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

build: setup
	$(SWIFT) build -c release --product spikingbrain

# The program, its man pages, and completions for bash, zsh and fish: into DESTDIR and PREFIX (/usr/local).
install:
	@PROGRAM=$(PROGRAM) packaging/install

# A Debian package in .build, which needs no Swift where it is installed.
deb: PACKAGES += libcurl4-openssl-dev
deb: setup
	$(SWIFT) build -c release --product spikingbrain --static-swift-stdlib --scratch-path .build/static
	packaging/deb .build

# The same for several machines, see docs/distributed.md. A directory of its own, since a trait
# builds everything anew.
build-mpi: PACKAGES += libopenmpi-dev openmpi-bin
build-mpi: setup
	$(SWIFT) build -c release --product spikingbrain --traits MPI --scratch-path .build/mpi

# Optimised, because numeric loops are 50 times slower in debug builds.
test: setup
	$(SWIFT) test -c release -Xswiftc -enable-testing

demo: build
	@PROGRAM=$(PROGRAM) OUT=$(DEMO) demo/run

# What the examples do, and the library resolved by a version.
examples: build
	SWIFT=$(SWIFT) Examples/run

# Swift and C. Every C file must compile without a warning, with each compiler that is there.
lint: PACKAGES += clang-format
lint: setup
	$(SWIFT) format lint --strict --recursive Sources Tests Package.swift
	@clang-format --dry-run -Werror $(C_FILES)
	@for compiler in gcc clang; do \
	  command -v $$compiler >/dev/null || continue; \
	  for file in $(PLAIN_C); do \
	    $$compiler -fsyntax-only -Wall -Wextra -Werror $(patsubst %,-I%,$(wildcard Sources/C*/include)) \
	      $$(pkg-config --cflags hdf5-serial libzstd) $$file || exit 1; \
	  done; \
	done

# Speed of the kernels and of the embedded model; each figure needs its own check to pass.
bench: build
	cd Tests/Benchmarks && $(SWIFT) run -c release -Xswiftc -enable-testing
	$(PROGRAM) bench demo/tiny-qwen2 --prefill 256,512 --decode 64 --at 0,256

# What each part of healing is worth, beside the controls: a table. The variables SOURCE, TEXT,
# EVALUATE, CONTEXTS and others are described in docs/healing.md.
heal-study: export PROGRAM := $(PROGRAM)
heal-study: build
	@Tests/Benchmarks/heal-study

# What spiking costs, by k; the same variables, described in docs/spiking.md.
spiking-study: export PROGRAM := $(PROGRAM)
spiking-study: build
	@Tests/Benchmarks/spiking-study

# Long checks against PyTorch and transformers; needs Python and network, see Tests/Reference.
check-all: build
	ALONE=1 Examples/run
	Tests/Reference/run
	Tests/Emulated/run
	Tests/Trust/mutate.py $(PROGRAM)
	Tests/Trust/kill.py $(PROGRAM)

# What the program is made of, as SPDX; needs Python.
sbom: build
	packaging/make_sbom.py $(PROGRAM) .build/spikingbrain.spdx.json

# Every reader of files from strangers, for MINUTES each; needs Python.
fuzz: setup
	Tests/Fuzz/run $(or $(MINUTES),10)

# Runs of several processes against runs of one.
check-mpi: build-mpi
	Tests/MPI/run

clean:
	rm -rf .build
