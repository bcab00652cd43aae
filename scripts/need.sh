#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes sure that programs are there: scripts/need.sh PROGRAM=DEBIAN_PACKAGE …
# Installs the packages of those that are missing where this is Debian or a child of it and root; says what to install elsewhere.
set -euo pipefail
packages=()
programs=()
for pair in "$@"; do
  if ! command -v "${pair%%=*}" > /dev/null; then
    programs+=("${pair%%=*}")
    packages+=("${pair#*=}")
  fi
done
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "Installing ${packages[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null
else
  echo "Missing: ${programs[*]}. Install it first (on Debian and Ubuntu: apt-get install ${packages[*]})." >&2
  exit 1
fi
