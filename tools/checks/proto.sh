#!/usr/bin/env bash
# The proto gate: lint, and no breaking change against api/baseline.binpb, the image of the last
# release (rewritten by `make release` only).  --root DIR checks another copy of api/.
set -euo pipefail
cd "$(dirname "$0")/../.."

root=api
[ "${1:-}" = --root ] && root=$2
buf=$PWD/.run/toolchain/npm/node_modules/.bin/buf
[ -x "$buf" ] || { echo "proto gate: buf is missing; run make setup-check" >&2; exit 1; }
(cd "$root" && "$buf" lint)
[ -e api/baseline.binpb ] || { echo "proto gate: api/baseline.binpb is missing" >&2; exit 1; }
(cd "$root" && "$buf" breaking --against "$OLDPWD/api/baseline.binpb")
echo "proto gate: clean"
