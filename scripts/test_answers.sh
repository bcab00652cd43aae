#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the tests that tests/README.md names, but for those of the desktop visit: what other plugins get wrong, bad input and faults.
set -euo pipefail
cd "$(dirname "$0")/.."
names=$(grep -o 'test_[a-z_]*/test_[a-z_0-9]*\.py::test_[a-z_0-9]*' tests/README.md | sort -u | sed 's|^|tests/|')
mapfile -t plain < <(grep '/test_backend/' <<< "$names")
mapfile -t in_qgis < <(grep '/test_plugin/' <<< "$names")
.venv/bin/python -m pytest "${plain[@]}" "$@"
export QT_QPA_PLATFORM=${QT_QPA_PLATFORM:-offscreen} SARDINE_PYTHON=${SARDINE_PYTHON:-$PWD/.venv/bin/python}
exec .venv-qgis/bin/python -m pytest "${in_qgis[@]}" "$@"
