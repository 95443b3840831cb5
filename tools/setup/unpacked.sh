#!/usr/bin/env bash
# Unpacks the Debian packages of a list into the user's cache, without installing them: those are daemons
# of which only a tool is wanted, and an installed daemon would be started. Once per content of the list;
# links the result as .run/toolchain/debian.
#   tools/setup/unpacked.sh deploy/packages/debian-unpacked.txt
set -euo pipefail
cd "$(dirname "$0")/../.."

list=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/countersign
home=$cache/debian-$(sha256sum "$list" | cut -c1-12)
if [ ! -e "$home/complete" ]; then
  echo "setup: unpacking the Debian packages of $list into the user's cache"
  rm -rf "$home"
  mkdir -p "$home"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # apt-get drops its privileges, if it has any, and then writes as somebody else.
  chmod 777 "$work"
  packages=$(sed 's/#.*//' "$list" | xargs)
  # shellcheck disable=SC2086
  download() { (cd "$work" && apt-get download $packages); }
  if ! download >"$work/log" 2>&1; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update >"$work/log" 2>&1 && download >>"$work/log" 2>&1 ||
      { tail -n 15 "$work/log" >&2; echo "setup: apt-get failed" >&2; exit 1; }
  fi
  for file in "$work"/*.deb; do dpkg-deb -x "$file" "$home"; done
  touch "$home/complete"
fi
mkdir -p .run/toolchain
ln -sfn "$home" .run/toolchain/debian
