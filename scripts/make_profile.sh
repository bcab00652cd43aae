#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a QGIS profile of its own in which the plugin is this clone, and switches it on for qgis_process and QGIS:
#   scripts/make_profile.sh FOLDER
#   QGIS_CUSTOM_CONFIG_PATH=FOLDER qgis_process run sardine:landcover …
# QGIS_PROCESS=/path/to/qgis_process where it is not on the path.
set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
QGIS_CUSTOM_CONFIG_PATH=$(cd "$1" && pwd)
export QGIS_CUSTOM_CONFIG_PATH QT_QPA_PLATFORM=${QT_QPA_PLATFORM:-offscreen}
plugins=$QGIS_CUSTOM_CONFIG_PATH/profiles/default/python/plugins
mkdir -p "$plugins"
ln -sfn "$root" "$plugins/sardine"
if ! log=$("${QGIS_PROCESS:-qgis_process}" plugins enable sardine 2>&1); then
  # It fails on a plugin that is enabled already, too.
  case $log in
    *"already enabled"*) ;;
    *) echo "$log" >&2; exit 1 ;;
  esac
fi
