# Each target is a line or two that you could type; `make help` lists them.
TIER ?= quick
PY := .venv/bin/python
READY := .venv/.ready

# A virtual environment whose interpreter is gone, as after an upgrade, is made anew.
ifneq ($(shell $(PY) -c "print(1)" 2>/dev/null),1)
$(shell rm -f $(READY))
endif

.PHONY: book serve lab notebooks test test-colab test-lowest bench lint format stamp clean help

book: $(READY)  ## run the notebooks that changed and build the pages
	@$(PY) ci/build_book.py --tier $(TIER)

serve: $(READY)  ## show the built pages at http://localhost:8000
	@test -f _build/book/html/index.html || { echo "There is no book yet: run make book first."; exit 1; }
	$(PY) -m http.server 8000 --bind 127.0.0.1 --directory _build/book/html

lab: $(READY)  ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab notebooks

notebooks: $(READY)  ## only run the notebooks that changed
	@$(PY) ci/run_notebooks.py --tier $(TIER)

test: lint  ## lint, tests, a smoke run of every notebook, a smoke build of the book
	$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-colab:  ## tests and notebooks with the versions that Colab has (another 5 GB)
	@sh ci/test_versions.sh colab

test-lowest:  ## tests and notebooks with the lowest versions that are allowed (another 5 GB)
	@sh ci/test_versions.sh lowest

bench: $(READY)  ## training speed beside a textbook loop (some minutes; on an idle machine)
	$(PY) ci/bench.py

lint: $(READY)  ## check style, and that every address is the repository's
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) ci/stamp.py --check

format: $(READY)  ## put the code in the project's style
	$(PY) -m ruff check --fix --exit-zero --quiet .
	$(PY) -m ruff format .

stamp: $(READY)  ## carry the repository's address from _config.yml into badges and setup cells
	$(PY) ci/stamp.py

clean:  ## delete what was built, with the training records of make book; data/runs stays
	rm -rf _build

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

$(READY): requirements.txt constraints.txt pyproject.toml ci/make_venv.sh
	@sh ci/make_venv.sh
