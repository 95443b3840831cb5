#!/usr/bin/env bash
# Installs the npm tools of a folder below deploy/packages in the user's cache, once per content of
# its package.json, and links them as .run/toolchain/<folder>.
#   tools/setup/npm.sh npm          what `make check` needs
#   tools/setup/npm.sh npm-full     what only `make test-full` needs, if Node is new enough
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$1
list=deploy/packages/$folder/package.json
least=$(sed -n 's/.*"node": ">=\([0-9]*\)".*/\1/p' "$list")
have=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
if [ -n "$least" ] && [ "$have" -lt "$least" ]; then
  echo "setup: Node $least is needed for $folder, this is $have: the tests that use it will be skipped"
  rm -f ".run/toolchain/$folder"
  exit 0
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/countersign
home=$cache/$folder-$(sha256sum "$list" | cut -c1-12)
if [ ! -e "$home/complete" ]; then
  echo "setup: installing the tools of $list into the user's cache"
  rm -rf "$home"
  mkdir -p "$home"
  cp "$list" "$home"
  (cd "$home" && npm install --no-audit --no-fund --silent)
  touch "$home/complete"
fi
mkdir -p .run/toolchain
ln -sfn "$home" ".run/toolchain/$folder"
