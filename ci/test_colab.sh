#!/bin/sh
# Run the library's tests and every notebook (tier smoke) with the versions that Colab has.
# Makes .venv-colab, a second environment of about 5 GB; needs Python 3.13 (PYTHON=... names one).
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3.13}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || {
    echo "Python 3.13 is needed, as on Colab, and $python is none: name one with PYTHON=/path/to/python3.13" >&2
    exit 1
}
if [ ! -e .venv-colab/.ready ] || [ ci/colab-constraints.txt -nt .venv-colab/.ready ]; then
    echo "Making .venv-colab with Colab's versions."
    "$python" -m venv .venv-colab
    # setuptools: Colab has one, and torch and the editable install ask for it.
    .venv-colab/bin/python -m pip install --disable-pip-version-check -q -c ci/colab-constraints.txt \
        torch torchvision numpy pandas matplotlib ipywidgets anywidget ipython ipykernel traitlets \
        tqdm safetensors pillow filelock setuptools papermill pytest hypothesis pyyaml
    .venv-colab/bin/python -m pip install --disable-pip-version-check -q --no-deps -e .
    touch .venv-colab/.ready
fi
# Warnings of older packages among themselves are not ours.
.venv-colab/bin/python -m pytest -q -W ignore::DeprecationWarning --ignore tests/book --ignore tests/browser "$@"
.venv-colab/bin/python ci/run_notebooks.py --tier smoke --out _build/colab
