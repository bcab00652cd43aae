#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Style, types, and the two scans that the QGIS plugin site runs on what ships.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
"$bin/ruff" check --quiet .
"$bin/ruff" format --quiet --check .
"$bin/mypy"
"$bin/bandit" --quiet --recursive __init__.py plugin backend
# detect-secrets exits 0 whatever it finds: its report is what counts.
"$bin/detect-secrets" scan __init__.py plugin backend training metadata.txt resources requirements scripts |
  "$bin/python" -c 'import json, sys
found = json.load(sys.stdin)["results"]
for path, hits in found.items():
    for hit in hits:
        print("{}:{}: {}".format(path, hit["line_number"], hit["type"]))
sys.exit(bool(found))'
echo "lint: ruff, mypy, bandit and detect-secrets found nothing"
