#!/usr/bin/env bash
# Writes api/baseline.binpb, the image that `make check` compares api/ against from now on.
set -euo pipefail
cd "$(dirname "$0")/../../api"
../.run/toolchain/npm/node_modules/.bin/buf build -o baseline.binpb
echo "release: api/baseline.binpb is the API of $(cat ../VERSION)"
