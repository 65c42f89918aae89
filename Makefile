# The book in a few words; README.md says more. L=06 names one lecture.
PYTHON ?= python3
BOOK := .venv/bin/python -m book

.PHONY: book test serve lecture execute slides-pdf test-colab lint lock environment

book: environment            ## execute what is stale, render everything into _site/
	@$(BOOK) make

test: environment            ## all tests, the quick ones first
	@.venv/bin/python -m pytest

lecture: environment         ## one lecture from source to page: make lecture L=06
	@$(BOOK) make --lecture $(L)

execute: environment         ## run every lecture afresh
	@$(BOOK) execute --force

serve: book                  ## look at it
	@.venv/bin/python -m http.server --directory _site --bind 127.0.0.1 8000

slides-pdf: book             ## handouts: one PDF a deck
	@$(BOOK) slides-pdf

test-colab: environment      ## every Colab notebook whole, in an empty folder
	@.venv/bin/python -m pytest tests/test_colab.py --colab-whole

lint: environment
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

lock:                        ## needs uv
	uv pip compile --quiet --universal --python-version 3.11 --no-emit-package torch \
	  --excludes requirements-unused.txt --custom-compile-command "make lock" \
	  requirements.in --output-file requirements.txt

environment:
	@$(PYTHON) book/environment.py
