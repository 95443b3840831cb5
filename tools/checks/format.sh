#!/usr/bin/env bash
# Says which of our C++ and proto files clang-format 14 would change; --fix changes them.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t files < <(git ls-files -- 'libs/*.h' 'libs/*.cc' 'services/*.h' 'services/*.cc' \
  'tools/*.h' 'tools/*.cc' 'tests/*.h' 'tests/*.cc' 'bench/*.h' 'bench/*.cc' 'examples/*.h' \
  'examples/*.cc')
if [ "${1:-}" = --fix ]; then
  clang-format-14 -i "${files[@]}"
else
  clang-format-14 --dry-run -Werror "${files[@]}"
  echo "format: clean"
fi
