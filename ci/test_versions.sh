#!/bin/sh
# Run the tests and every notebook (tier smoke) with other versions than constraints.txt has:
#   colab   those of Colab, without the book and its pages; needs Python 3.13
#   lowest  the lowest that requirements.txt and pyproject.toml allow, without the pages in a
#           browser; needs Python 3.11
# Makes .venv-colab or .venv-lowest, another environment of about 5 GB. PYTHON names the interpreter;
# what follows the name goes to pytest.
set -eu
cd "$(dirname "$0")/.."

name=${1:-}
case $name in
colab) wanted=3.13 list=ci/colab-constraints.txt ;;
lowest) wanted=3.11 list=requirements.txt ;;
*)
    echo "'$name' is no set of versions: colab or lowest." >&2
    exit 1
    ;;
esac
shift
venv=.venv-$name
python=${PYTHON:-python$wanted}
"$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$wanted')" 2>/dev/null || {
    echo "Python $wanted is needed, and $python is none: name one with PYTHON=/path/to/python$wanted" >&2
    exit 1
}
installed() { "$venv/bin/python" -m pip install --disable-pip-version-check -q "$@"; }
if [ ! -e "$venv/.ready" ] || [ "$list" -nt "$venv/.ready" ] || [ pyproject.toml -nt "$venv/.ready" ]; then
    echo "Making $venv."
    "$python" -m venv "$venv"
    if [ "$name" = colab ]; then
        # setuptools: Colab has one, and torch and the editable install ask for it.
        installed -c "$list" torch torchvision numpy pandas matplotlib ipywidgets anywidget ipython ipykernel \
            traitlets tqdm safetensors pillow filelock setuptools papermill pytest hypothesis pyyaml
    else
        # "torch>=2.7" becomes "torch==2.7".
        sed -nE 's/^[ "]*([a-z-]+)>=([0-9.]+).*/\1==\2/p' requirements.txt pyproject.toml | sort -u >"$venv/lowest.txt"
        installed -r "$venv/lowest.txt"
    fi
    installed --no-deps -e .
    touch "$venv/.ready"
fi
# Warnings of older packages among themselves are not ours.
if [ "$name" = colab ]; then
    "$venv/bin/python" -m pytest -q -W ignore::DeprecationWarning --ignore tests/book --ignore tests/browser "$@"
    "$venv/bin/python" ci/run_notebooks.py --tier smoke --out _build/colab
else # the tests of the book run the notebooks
    "$venv/bin/python" -m pytest -q -W ignore::DeprecationWarning --ignore tests/browser "$@"
fi
