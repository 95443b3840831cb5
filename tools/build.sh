#!/usr/bin/env bash
# Configures a preset if its build folder is new or the CMake files changed, and builds it.
#   tools/build.sh release [target ...]        `generated` stands for all generated sources
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1
shift

# Two builds of one preset in one checkout would write the same files. Compilers inherit the lock, so
# that it holds as long as any of them runs.
mkdir -p build
exec 9>"build/$preset.lock"
flock -n 9 || { echo "build: waiting for another build of $preset in this checkout"; flock 9; }

[ -e "build/$preset/build.ninja" ] || cmake --preset "$preset" >"build/$preset.log" 2>&1 ||
  { tail -n 20 "build/$preset.log" >&2; echo "build: configuring $preset failed" >&2; exit 1; }
targets=("$@")
[ "${1:-}" = generated ] && targets=(countersign_google_rpc countersign_api countersign_api_events countersign_commit)
echo "build: $preset"
if [ -t 1 ]; then
  ninja -C "build/$preset" "${targets[@]}"
else
  log=build/$preset.ninja.log
  ninja -C "build/$preset" "${targets[@]}" >"$log" 2>&1 ||
    { grep -v '^\[' "$log" | tail -n 60 >&2; echo "build: $preset failed; all of it in $log" >&2; exit 1; }
fi
