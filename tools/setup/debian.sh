#!/usr/bin/env bash
# Installs the Debian packages of a list that the machine lacks, with sudo unless root, and says so
# before. Does nothing, quickly, when none is missing.
#   tools/setup/debian.sh deploy/packages/debian.txt
set -euo pipefail

list=$1
wanted=$(sed 's/#.*//' "$list" | xargs)
missing=$(for package in $wanted; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
done | xargs)
# Node and Java may have come from elsewhere; what counts is that the command is there.
command -v npm >/dev/null && missing=$(echo " $missing " | sed 's/ npm / /' | xargs)
command -v java >/dev/null && missing=$(echo " $missing " | sed 's/ openjdk-17-jre-headless / /' | xargs)
[ -n "$missing" ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "setup: root or sudo is needed to install: $missing" >&2; exit 1; }
  as_root=(sudo)
fi
echo "setup: installing Debian packages ${as_root:+with sudo}: $missing"

# The server package would otherwise create and start a cluster of its own.
if echo "$missing" | grep -q postgresql && [ ! -e /etc/postgresql-common ]; then
  "${as_root[@]}" mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' |
    "${as_root[@]}" tee /etc/postgresql-common/createcluster.d/countersign.conf >/dev/null
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  # shellcheck disable=SC2086
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}
if ! install >"$log" 2>&1; then
  "${as_root[@]}" apt-get update >"$log" 2>&1 && install >>"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; echo "setup: apt-get failed" >&2; exit 1; }
fi
