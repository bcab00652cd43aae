#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The small study, from a fresh clone too: makes what is missing, and goes on where it was.
#   scripts/study.sh              the encoder of training/configs/bundled/pretrain.yaml, into runs/study_small; where that is not
#                                 there, a small one that is pre-trained here, into runs/study_tiny
#   scripts/study.sh runs/mine    one of yours, a run folder of `pretrain` or a model file of one, into runs/study_mine
set -euo pipefail
cd "$(dirname "$0")/.."
train() { .venv/bin/python -m training.run "$@"; }
configs=training/configs
simulated=runs/bundled/chips_simulated
real=runs/bundled/chips_real
encoder=${1:-}

if [ -n "$encoder" ] && [ ! -e "$encoder" ]; then
  echo "$encoder is not there: name a run folder of \`pretrain\`, or a model file of one." >&2
  exit 2
fi
if [ ! -e $simulated/store.json ]; then
  if [ ! -e runs/simulated ]; then
    train simulate --config $configs/simulate_training.yaml --out runs/simulated.part
    mv runs/simulated.part runs/simulated
  fi
  train chips --config $configs/bundled/chips_simulated.yaml
fi
if [ ! -e $real/store.json ]; then
  if [ -d ../shared/data ]; then
    train chips --config $configs/bundled/chips_real.yaml
  else
    echo "Without ../shared/data there are no real chips. Left out: all that is scored on real chips, or learnt from their labels;"
    echo "and an encoder that is pre-trained here sees simulated scenes alone."
  fi
fi

arguments=(--config $configs/study_small.yaml)
if [ -n "$encoder" ]; then
  arguments+=(--encoder "$encoder" --out "runs/study_$(basename "$encoder" .safetensors)")
elif [ ! -e runs/bundled/pretrain/checkpoint.pt ]; then
  run=runs/study_encoder
  encoder=$run.safetensors  # there when the run is done
  if [ ! -e $encoder ]; then
    echo "There is no encoder at runs/bundled/pretrain. A small one is pre-trained into $run: some 25 minutes on two CPU cores."
    stores="'$simulated'"
    [ ! -e $real/store.json ] || stores+=", '$real'"
    pretraining=(--config $configs/pretrain_study.yaml --out $run --data.stores "[$stores]")
    if [ -e $run/state.pt ]; then
      pretraining+=(--resume true)
    else
      rm -rf $run  # killed before its first step
    fi
    train pretrain "${pretraining[@]}"
    train export --run $run --out $encoder --name "Small encoder of the study" --dtype float32
  fi
  echo "The study is of the small encoder in $encoder, not of training/configs/bundled/pretrain.yaml; its figures are not those of docs/study.md."
  arguments+=(--encoder $encoder --out runs/study_tiny)
fi
train study "${arguments[@]}"
