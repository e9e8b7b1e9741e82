#!/bin/sh
# Make .venv with what the book, the notebooks and the tests need.
# PYTHON chooses the interpreter; CONSTRAINTS= (empty) takes the newest versions that
# requirements.txt allows instead of the exact set that was tested.
set -eu
cd "$(dirname "$0")/.."

fits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

python=
if [ -n "${PYTHON:-}" ]; then
    fits "$PYTHON" || {
        echo "PYTHON=$PYTHON is no Python 3.11, 3.12 or 3.13: one of these is needed." >&2
        exit 1
    }
    python=$PYTHON
else
    for candidate in python3 python3.13 python3.12 python3.11; do
        if fits "$candidate"; then
            python=$candidate
            break
        fi
    done
fi
if [ -z "$python" ]; then
    echo "Python 3.11, 3.12 or 3.13 is needed and was not found: install one, or name it: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$python cannot make virtual environments: install its venv module (on Debian and Ubuntu: apt-get install python3-venv)." >&2
    exit 1
fi

echo "Making the virtual environment in .venv; with torch it takes some minutes and up to 6 GB."
# One whose interpreter is gone, or is of another version, cannot be taken over.
minor() { "$1" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null; }
clear=
if [ "$(minor .venv/bin/python)" != "$(minor "$python")" ]; then clear=--clear; fi
"$python" -m venv $clear .venv
constraints=${CONSTRAINTS-constraints.txt}
.venv/bin/python -m pip install --disable-pip-version-check --progress-bar off \
    ${constraints:+-c "$constraints"} -r requirements.txt -e '.[dev]' >.venv/install.log 2>&1 || {
    tail -n 15 .venv/install.log >&2
    echo "The packages could not be installed (whole log: .venv/install.log). Mend what it names and run make again; CONSTRAINTS= allows other versions than the tested ones." >&2
    exit 1
}
touch .venv/.ready
