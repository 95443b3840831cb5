#!/usr/bin/env bash
# Countersign by Docker: builds its image, and brings deploy/compose.yaml up in an order without gaps.
#   deploy/compose.sh image        builds countersign:VERSION from this checkout     (make img)
#   deploy/compose.sh up           provisions, migrates and rolls out; repeatable    (make compose-up)
#   deploy/compose.sh down         stops everything and keeps what it holds          (make compose-down)
#   deploy/compose.sh ctl WORD...  countersignctl, for example: ctl outbox status
# COUNTERSIGN_VERSION says which version to bring up; an older one is a rollback. Default: file VERSION.
set -euo pipefail
cd "$(dirname "$0")/.."

export COUNTERSIGN_VERSION=${COUNTERSIGN_VERSION:-$(cat VERSION)}
patience=180
first_relay=${COUNTERSIGN_FIRST_RELAY:-9465} # where its metrics are published; another one in tests

fail() { echo "compose: $*" >&2; exit 1; }
say() { echo "compose: $*"; }

require() {
  command -v docker >/dev/null || fail "docker is not installed: Docker Engine with its compose plugin is needed"
  docker info >/dev/null 2>&1 || fail "the docker daemon does not answer: is it running, and may $(id -un) use it? (docker info)"
  [ "${1:-}" != compose ] || docker compose version >/dev/null 2>&1 ||
    fail "docker has no compose plugin: install docker-compose-plugin"
}

compose() { docker compose --file deploy/compose.yaml "$@"; }

image() {
  require
  local commit
  commit=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
  docker build --file deploy/Dockerfile --tag "countersign:$COUNTERSIGN_VERSION" \
    --build-arg VERSION="$COUNTERSIGN_VERSION" --build-arg COMMIT="$commit" .
}

# A job that ends.
job() { compose run --rm --no-deps -T "$@"; }

# SERVICE [option...]: it is there, of this version, and healthy.
service() { compose up --detach --no-deps --no-build --wait --wait-timeout $patience "$@"; }

# The version that runs; empty before the first start.
running() { docker inspect --format '{{.Config.Image}}' "$(compose ps --quiet auth | head -n 1)" 2>/dev/null | cut -d: -f2; }

# Whoever understands a new command comes before whoever gives it, and the other way round on the way back; the
# first relay makes its slot before there are events (docs/compatibility.md).
order() {
  local now
  now=$(running || true)
  if [ -z "$now" ]; then
    echo relays otp auth
  elif [ "$now" != "$COUNTERSIGN_VERSION" ] &&
    [ "$(printf '%s\n' "$COUNTERSIGN_VERSION" "$now" | sort -V | head -n 1)" = "$COUNTERSIGN_VERSION" ]; then
    echo relays auth otp
  else
    echo otp auth relays
  fi
}

# Whether the relay with its metrics on that port of this host leads.
leads() {
  local page
  page=$({ exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 && timeout 5 cat <&3; } 2>/dev/null) &&
    [[ $page == *$'\n'"relay_leader 1"* ]]
}

# The one that stands by first: then the lead is given up once, and whoever takes it is of this version.
relays() {
  local names=(relay-1 relay-2)
  if leads "$first_relay"; then names=(relay-2 relay-1); fi
  for name in "${names[@]}"; do service "$name" "$@"; done
}

up() {
  require compose
  docker image inspect "countersign:$COUNTERSIGN_VERSION" >/dev/null 2>&1 ||
    fail "there is no image countersign:$COUNTERSIGN_VERSION: make img"
  local made sequence fresh=()
  sequence=$(order)
  made=$(job secrets)
  [ -z "$made" ] || { say "$made"; fresh=(--force-recreate); }
  # New certificates are of a new authority: nobody may go on with the old one.
  service postgres kafka "${fresh[@]}"
  for name in migrate roles topics keys; do job "$name" || fail "$name failed: no process was replaced"; done
  for name in $sequence; do
    if [ "$name" = relays ]; then relays "${fresh[@]}"; else service "$name" "${fresh[@]}"; fi
  done
  service log-daily "${fresh[@]}"
  service keys-daily
  say "countersign $COUNTERSIGN_VERSION serves: gRPC (TLS) on 127.0.0.1:50051; metrics of auth on 9464, relays 9465 and 9467, otp 9466"
}

down() {
  require compose
  compose down --remove-orphans
  say "stopped; the volumes are kept (docker volume ls --filter label=com.docker.compose.project=countersign)"
}

ctl() {
  require compose
  compose --profile operator run --rm --no-deps -T ctl "$@"
}

case ${1:-} in
  image | up | down | ctl) "$@" ;;
  *) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 64 ;;
esac
