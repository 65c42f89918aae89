# The book in a few words; README.md says more. L=06 names one lecture.
PYTHON ?= python3
# A Python with all that the book needs: the active environment if it fits, else .venv, made first
BOOK := $(PYTHON) book/environment.py

.PHONY: book test check lab serve lecture execute slides-pdf test-colab test-latest lint lock environment

book:                        ## execute what is stale, render everything into _site/
	@$(BOOK) -m book make

test:                        ## all tests, the quick ones first
	@$(BOOK) -m pytest -p tests.areas

check:                       ## all that executes no lecture, in about eight minutes
	@$(BOOK) -m pytest -p tests.areas -m "not lectures" -n 2 --dist worksteal

lab:                         ## JupyterLab in lectures/; LAB="--no-browser" passes options on
	@$(BOOK) -m jupyterlab --ServerApp.root_dir=lectures $(LAB)

lecture:                     ## one lecture from source to page: make lecture L=06
	@$(BOOK) -m book make --lecture $(L)

execute:                     ## run every lecture afresh
	@$(BOOK) -m book execute --force

serve: book                  ## look at it
	@$(BOOK) -m http.server --directory _site --bind 127.0.0.1 8000

slides-pdf: book             ## handouts: one PDF a deck
	@$(BOOK) -m book slides-pdf

test-colab:                  ## every Colab notebook whole, in an empty folder, with Colab's versions
	@$(BOOK) -m pytest tests/test_colab.py --colab-whole

test-latest:                 ## lectures with the newest releases of all: what changed
	@$(BOOK) -m book latest $(if $(L),--lecture $(L))

lint:
	@$(BOOK) -m ruff check . && $(BOOK) -m ruff format --check .

lock:                        ## needs uv
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-package torch --excludes requirements-unused.txt \
	  --custom-compile-command "make lock" requirements.in --output-file requirements.txt

environment:
	@$(BOOK)
