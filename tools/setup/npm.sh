#!/usr/bin/env bash
# Installs the npm tools of deploy/packages/npm (locked) in the user's cache, once per content of the
# lock file, and links them as .run/toolchain/npm.
set -euo pipefail
cd "$(dirname "$0")/../.."

lock=deploy/packages/npm/package.json
cache=${XDG_CACHE_HOME:-$HOME/.cache}/countersign
home=$cache/npm-$(sha256sum "$lock" | cut -c1-12)
if [ ! -e "$home/complete" ]; then
  echo "setup: installing npm tools into the user's cache"
  rm -rf "$home"
  mkdir -p "$home"
  cp deploy/packages/npm/package.json "$home"
  (cd "$home" && npm install --no-audit --no-fund --silent)
  touch "$home/complete"
fi
mkdir -p .run/toolchain
ln -sfn "$home" .run/toolchain/npm
