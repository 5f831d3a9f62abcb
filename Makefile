# SPDX-License-Identifier: MIT
#
# A thin front: each target is one or two commands, and needs gcc, make and
# cmake. What a target wants beyond that, scripts/setup.sh installs or names.

BUILD   ?= build
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
RELEASE := $(BUILD)/release
export BUILD
MAKEFLAGS += --no-print-directory

all:            ## build the libraries, the examples and the benchmarks
	@cmake --preset release -B $(RELEASE) -DCMAKE_INSTALL_PREFIX=$(PREFIX) --log-level=WARNING >/dev/null
	@cmake --build $(RELEASE) -j $(JOBS)

run:            ## 10,000 connections to a plain blocking server, on one thread
	@scripts/setup.sh run
	@$(MAKE) all
	@$(RELEASE)/examples/echo-run

test:           ## everything: both compilers, sanitizers, every switch, other CPUs, riscv64
	@scripts/test.sh $(VARIANTS)

stress:         ## an hour of the stress tests, a seed a round (SEEDS=)
	@scripts/stress.sh $(SEEDS)

bench:          ## the table of measured figures, with peers in the same run
	@scripts/setup.sh bench
	@$(MAKE) all
	@bench/run.sh $(RELEASE)

check-format:   ## does the tree look as .clang-format says?
	@scripts/format.sh --check

format:         ## make it so
	@scripts/format.sh

docs:           ## guide and man pages as HTML
	@scripts/setup.sh docs
	@cmake --preset release -B $(RELEASE) --log-level=WARNING >/dev/null
	@cmake --build $(RELEASE) --target docs

install: all    ## DESTDIR= PREFIX=
	@DESTDIR=$(DESTDIR) cmake --install $(RELEASE)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: all run test stress bench docs check-format format install clean help
