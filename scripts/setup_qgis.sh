#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes sure that there is a QGIS with PyQGIS and qgis_process, and makes .venv-qgis, where the plugin's tests run.
# QGIS 3.40 comes from Debian's backports where it is missing and this is Debian 12, root and apt.
#   QGIS_PYTHON=/path/to/python3   the Python that QGIS is built for (`import qgis.core` works in it)
#   QGIS_PROCESS=/path/to/qgis_process
set -euo pipefail
cd "$(dirname "$0")/.."
python=${QGIS_PYTHON:-/usr/bin/python3}
process=${QGIS_PROCESS:-qgis_process}

qgis_version() { QT_QPA_PLATFORM=offscreen "$python" -c 'from qgis.core import Qgis; print(Qgis.QGIS_VERSION_INT)' 2>/dev/null || echo 0; }

explain_and_fail() {
  cat >&2 <<TXT
QGIS 3.34 or later with PyQGIS is needed and was not found ($1).
Install QGIS (Debian 12, as root: the packages qgis python3-qgis qgis-providers from bookworm-backports; elsewhere: see qgis.org),
or point at one:  make ${MAKECMDGOALS:-test} QGIS_PYTHON=/path/to/its/python3 QGIS_PROCESS=/path/to/qgis_process
TXT
  exit 1
}

install_from_backports() {
  # The mirror that this machine uses already, with the backports suite beside the main one.
  local mirror
  mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' 2>/dev/null | head -n 1)
  [ -n "$mirror" ] || explain_and_fail "no Debian mirror in apt's sources"
  if ! apt-cache policy 2>/dev/null | grep -q 'bookworm-backports'; then
    echo "deb $mirror bookworm-backports main" > /etc/apt/sources.list.d/sardine-backports.list
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -t bookworm-backports --no-install-recommends \
    qgis python3-qgis qgis-providers python3-venv
}

if [ "$(qgis_version)" -lt 33400 ] || ! command -v "$process" >/dev/null; then
  [ -z "${QGIS_PYTHON:-}${QGIS_PROCESS:-}" ] || explain_and_fail "QGIS_PYTHON or QGIS_PROCESS points elsewhere"
  command -v apt-get >/dev/null || explain_and_fail "and there is no apt-get to install it with"
  [ "$(id -u)" = 0 ] || explain_and_fail "and only root can install it"
  grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || explain_and_fail "and this is not Debian 12"
  echo "Installing QGIS 3.40 from Debian's backports (about a minute)"
  install_from_backports > /dev/null
  [ "$(qgis_version)" -ge 33400 ] || explain_and_fail "even after installing it"
fi

wanted="$("$python" --version) $(sha256sum < requirements/qgis-tests.txt)"
[ "$(cat .venv-qgis/.requirements 2>/dev/null)" = "$wanted" ] && exit 0
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
  else
    echo "The Python of QGIS lacks venv. Install it first (on Debian and Ubuntu: apt-get install python3-venv)." >&2
    exit 1
  fi
fi
"$python" -m venv --clear --system-site-packages .venv-qgis
# shellcheck disable=SC2086
.venv-qgis/bin/python -m pip install --quiet --disable-pip-version-check ${PIP_ARGS:-} -r requirements/qgis-tests.txt
echo "$wanted" > .venv-qgis/.requirements
