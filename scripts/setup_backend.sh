#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes or updates .venv, the environment of backend, training and their tests. Does nothing where it is up to date.
#   PYTHON=python3.12 PIP_ARGS="--no-index --find-links wheels" scripts/setup_backend.sh
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "SARdine needs Python 3.11 or later; \"$python\" is $("$python" --version 2>&1 || echo missing)." >&2
  echo "Install one, or point at it: make ${MAKECMDGOALS:-setup} PYTHON=/path/to/python3" >&2
  exit 1
fi

wanted=$(cat requirements/backend.txt requirements/training.txt requirements/dev.txt | sha256sum | cut -d' ' -f1)
[ "$(cat .venv/.requirements 2>/dev/null)" = "$wanted" ] && exit 0

if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
  else
    echo "This Python lacks venv or ensurepip. Install it first (on Debian and Ubuntu: apt-get install python3-venv)." >&2
    exit 1
  fi
fi
echo "Setting up .venv: torch, timm, rasterio and the development tools (about 5 GB on Linux, a minute or two)"
"$python" -m venv .venv
# shellcheck disable=SC2086
.venv/bin/python -m pip install --quiet --disable-pip-version-check ${PIP_ARGS:-} -r requirements/dev.txt
echo "$wanted" > .venv/.requirements
