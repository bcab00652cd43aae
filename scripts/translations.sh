#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Brings resources/i18n/sardine_*.ts up to the sources: new strings come in as unfinished, those that are gone go. Then translate
# in Qt Linguist, or in the file. A new language: LANGUAGES="de fr" scripts/translations.sh
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t sources < <(git ls-files 'plugin/*.py' backend/model_card.py)
for language in ${LANGUAGES:-$(cd resources/i18n && ls sardine_*.ts | sed 's/sardine_\(.*\)\.ts/\1/')}; do
  file=resources/i18n/sardine_$language.ts
  # pylupdate5 knows no context of a plain function: it files tr("…") under @default.
  [ ! -f "$file" ] || sed -i 's|<name>SARdine</name>|<name>@default</name>|' "$file"
  pylupdate5 -noobsolete "${sources[@]}" -ts "$file" 2> /dev/null
  # Line numbers would change with every commit.
  sed -i -e 's|<name>@default</name>|<name>SARdine</name>|' -e '/<location /d' \
    -e "s|<TS version=\"2.1\"[^>]*>|<TS version=\"2.1\" language=\"$language\" sourcelanguage=\"en\">|" "$file"
  echo "$file: $(grep -c '<message>' "$file") strings, $(grep -c 'type="unfinished"' "$file" || true) not translated"
done
