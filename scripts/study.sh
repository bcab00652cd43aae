#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The small study from a fresh clone: makes the chip stores that are missing, and says how to come by an encoder.
#   scripts/study.sh              the encoder of training/configs/bundled/pretrain.yaml
#   scripts/study.sh runs/mine    one of yours, into runs/study_mine
set -euo pipefail
cd "$(dirname "$0")/.."
train() { .venv/bin/python -m training.run "$@"; }
configs=training/configs

if [ ! -e runs/bundled/chips_simulated/store.json ]; then
  [ -e runs/simulated ] || train simulate --config $configs/simulate_training.yaml
  train chips --config $configs/bundled/chips_simulated.yaml
fi
if [ ! -e runs/bundled/chips_real/store.json ]; then
  if [ -d ../shared/data ]; then
    train chips --config $configs/bundled/chips_real.yaml
  else
    echo "Without ../shared/data there are no real chips: the study leaves them out."
  fi
fi
arguments=(--config $configs/study_small.yaml)
[ -z "${1:-}" ] || arguments+=(--encoder "$1" --out "runs/study_$(basename "$1")")
train study "${arguments[@]}"
