#!/usr/bin/env bash
# Makes the virtual environment of deploy/packages/python.txt in the user's cache, once per content
# of that file, and links it as .run/toolchain/python.
set -euo pipefail
cd "$(dirname "$0")/../.."

list=deploy/packages/python.txt
cache=${XDG_CACHE_HOME:-$HOME/.cache}/countersign
home=$cache/python-$(sha256sum "$list" | cut -c1-12)
if [ ! -e "$home/complete" ]; then
  echo "setup: installing Python packages into the user's cache"
  rm -rf "$home"
  mkdir -p "$cache"
  /usr/bin/python3 -m venv --system-site-packages "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check -r "$list"
  touch "$home/complete"
fi
mkdir -p .run/toolchain
ln -sfn "$home" .run/toolchain/python
