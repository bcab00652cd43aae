#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The study, from a fresh clone too: makes what is missing, and goes on where it was.
#   scripts/study.sh              a small encoder, pre-trained here by training/configs/pretrain_study.yaml, into runs/study_small: the
#                                 figures of docs/study.md
#   scripts/study.sh runs/mine    one of yours, a run folder of `pretrain` or a model file of one, into runs/study_mine
#   scripts/study.sh full [weights.pth]   on a GPU: pre-trains a main encoder and its variants by training/configs/bundled/pretrain.yaml
#                                 and compares them, into runs/study_full; weights that others published are one more variant
set -euo pipefail
cd "$(dirname "$0")/.."
train() { .venv/bin/python -m training.run "$@"; }
configs=training/configs
simulated=runs/bundled/chips_simulated
real=runs/bundled/chips_real
full= encoder= weights=
case ${1:-} in
  full) full=1 weights=${2:-} ;;
  small) encoder=${2:-} ;;
  *) encoder=${1:-} ;;
esac

if [ -n "$encoder" ] && [ ! -e "$encoder" ]; then
  echo "$encoder is not there: name a run folder of \`pretrain\`, or a model file of one." >&2
  exit 2
fi
if [ -n "$weights" ] && [ ! -f "$weights" ]; then
  echo "$weights is not there: name a file of published weights." >&2
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
stores="'$simulated'"
[ ! -e $real/store.json ] || stores+=", '$real'"

# pretrained RUN NAME CONFIG [SETTINGS..]: the encoder RUN.safetensors, from the run folder RUN; it is there when the run is done.
pretrained() {
  local run=$1 name=$2 config=$3
  shift 3
  [ ! -e "$run.safetensors" ] || return 0
  if [ -e "$run/state.pt" ]; then
    set -- "$@" --resume true
  else
    rm -rf "$run"  # killed before its first step
  fi
  train pretrain --config "$config" --out "$run" "$@"
  train export --run "$run" --out "$run.safetensors" --name "$name" --dtype float32
}

if [ -n "$full" ]; then
  # The variants of training/configs/study_full.yaml: each differs from the main encoder in these settings alone.
  encoders=runs/study_full/encoders
  given=
  variant() {
    local name=$1
    shift
    echo "Pre-training: $name"
    pretrained $encoders/$name "Study: $name" $configs/bundled/pretrain.yaml "$@"
    [ "$name" = main ] || given+="${given:+, }$name: $encoders/$name.safetensors"
  }
  both=(--data.stores "[$stores]")
  variant main "${both[@]}"
  [ ! -e $real/store.json ] || variant simulated_only --data.stores "['$simulated']"  # without real chips the main one is this
  variant registers "${both[@]}" --encoder.register_tokens 4
  variant no_speckle "${both[@]}" --crops.speckle_chance 0
  variant no_gain "${both[@]}" --crops.gain_db 0 --crops.band_gain_db 0
  variant no_flips "${both[@]}" --crops.flip false --crops.transpose false
  variant no_channel_drop "${both[@]}" --crops.channel_drop 0  # which leaves out chips of one band too
  variant no_resized_crops "${both[@]}" --crops.spacing_m "[10, 10]" --crops.aspect "[1, 1]"  # crops of the chips' own pixels
  arguments=(--config $configs/study_full.yaml --variants "{$given}")
  [ -z "$weights" ] || arguments+=(--imagenet "$weights")
  train study "${arguments[@]}"
  exit
fi

arguments=(--config $configs/study_small.yaml)
if [ -n "$encoder" ]; then
  arguments+=(--encoder "$encoder" --out "runs/study_$(basename "$encoder" .safetensors)")
else
  run=runs/study_encoder
  [ -e $run.safetensors ] || echo "A small encoder is pre-trained into $run first: some 20 minutes on two CPU cores."
  pretrained $run "Small encoder of the study" $configs/pretrain_study.yaml --data.stores "[$stores]"
fi
train study "${arguments[@]}"
