#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The plugin's tests in real QGIS; the backend they start is .venv's unless SARDINE_PYTHON says otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
export QT_QPA_PLATFORM=${QT_QPA_PLATFORM:-offscreen} SARDINE_PYTHON=${SARDINE_PYTHON:-$PWD/.venv/bin/python}
exec .venv-qgis/bin/python -m pytest tests/test_plugin "$@"
