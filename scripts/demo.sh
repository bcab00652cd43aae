#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# From a scene to styled layers with the plugin of this clone, in a QGIS profile of its own:
#   scripts/demo.sh                  a simulated scene
#   scripts/demo.sh path/scene.tif   a scene of yours; UNITS=…, SPACING_M=… and CALIBRATION_DB=… are passed on
set -euo pipefail
scene=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."
out=$PWD/demo/${scene:+$(basename "${scene%.*}")}
out=${out%/}
[ -n "$scene" ] || out=$out/simulated
mkdir -p "$out"
export QT_QPA_PLATFORM=${QT_QPA_PLATFORM:-offscreen} SARDINE_PYTHON=${SARDINE_PYTHON:-$PWD/.venv/bin/python}
export GDAL_PAM_ENABLED=NO  # QGIS would put statistics beside the scene, which is not ours to write to
process=${QGIS_PROCESS:-qgis_process}

if [ -z "$scene" ]; then
  echo "1/3 Simulating a scene (simulated radar, not a real place)"
  .venv/bin/python -m training.run simulate --config training/configs/simulate_demo.yaml --out "$out" > "$out/simulate.log" 2>&1 ||
    { cat "$out/simulate.log" >&2; exit 1; }
  scene=$(ls "$out"/scene_*.tif)
else
  echo "1/3 Taking $scene"
fi

echo "2/3 Running sardine:landcover through qgis_process"
export QGIS_CUSTOM_CONFIG_PATH=$PWD/demo/profile
scripts/make_profile.sh "$QGIS_CUSTOM_CONFIG_PATH"
arguments=(INPUT="$scene" LANDCOVER="$out/landcover.tif" CONFIDENCE="$out/confidence.tif" ATTENTION="$out/attention.tif")
[ -z "${UNITS:-}" ] || arguments+=(UNITS="$UNITS")
[ -z "${SPACING_M:-}" ] || arguments+=(SPACING_M="$SPACING_M")
[ -z "${CALIBRATION_DB:-}" ] || arguments+=(CALIBRATION_DB="$CALIBRATION_DB")
if ! "$process" run sardine:landcover -- "${arguments[@]}" > "$out/run.log" 2>&1; then
  grep -v '^Problem with\|^QStandardPaths\|^Cannot' "$out/run.log" | tail -n 20 >&2
  echo "The whole log: $out/run.log" >&2
  exit 1
fi

echo "3/3 Rendering the styled layers with QGIS"
"${QGIS_PYTHON:-/usr/bin/python3}" scripts/demo_render.py "$scene" "$out" > "$out/render.log" 2>&1 || { cat "$out/render.log" >&2; exit 1; }

echo
echo "GeoTIFFs  $out/landcover.tif"
echo "          $out/confidence.tif"
echo "          $out/attention.tif"
echo "Picture   $out/picture.png"
echo "Project   $out/project.qgz"
