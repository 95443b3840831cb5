#!/usr/bin/env bash
# Makes the passwords and certificates of deploy/compose.yaml, each in the volume of who uses it. Repeatable:
# passwords stay; certificates are made anew when less than 30 days are left of them.
#   provision.sh FOLDER   with the volumes mounted at FOLDER/{postgres,kafka,auth,otp,relay,operator}
set -euo pipefail
umask 077
cd "$1"

days=825
# Users of the images: postgres, kafka, countersign.
declare -A owner=([postgres]=999:999 [kafka]=1000:1000 [auth]=10001:10001 [otp]=10001:10001 [relay]=10001:10001
  [operator]=10001:10001)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# put VOLUME NAME: standard input becomes a file of its owner alone; whoever reads it meanwhile has the old one.
put() {
  local new=$1/.new
  rm -f "$new"
  cat >"$new"
  chown "${owner[$1]}" "$new"
  mv "$new" "$1/$2"
}

for volume in "${!owner[@]}"; do
  mkdir -p "$volume"
  chown "${owner[$volume]}" "$volume"
done

# Passwords: made once. PostgreSQL's volume has all of them, since it is told them.
for role in owner auth otp relay; do
  [ -s "postgres/$role.password" ] || openssl rand -hex 24 | put postgres "$role.password"
done
for role in auth otp relay; do
  put "$role" database_url <<END
host=postgres dbname=countersign user=countersign_$role password=$(cat "postgres/$role.password") sslmode=verify-full sslrootcert=/run/countersign/ca.pem
END
done
put operator pgpass <<<"*:*:*:countersign_owner:$(cat postgres/owner.password)"
[ -s kafka/cluster_id ] || openssl rand 16 | base64 | tr '+/' '-_' | tr -d '=' | put kafka cluster_id
# The provider's secret is the operator's own; without one it stays as it is. It may not be empty, so with
# provider log, which has none, the file says so.
if [ -s "${TWILIO_API_SECRET:-/dev/null}" ]; then
  put otp twilio.api_secret <"$TWILIO_API_SECRET"
elif [ ! -e otp/twilio.api_secret ]; then
  put otp twilio.api_secret <<<"no secret was given"
fi

if [ -e operator/certificates ] && openssl x509 -in operator/ca.pem -noout -checkend $((30 * 86400)) >/dev/null; then
  exit 0
fi
rm -f operator/certificates
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${key[@]}" -days $days -subj "/CN=Countersign compose" -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
for name in postgres kafka auth otp relay; do
  # The first name is the identity by which otp knows auth.
  echo "subjectAltName=DNS:$name,DNS:localhost" >"$work/ext"
  openssl req "${key[@]}" -subj "/CN=$name" -keyout "$work/$name.key" -out "$work/csr" 2>/dev/null
  openssl x509 -req -days $days -in "$work/csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
    -extfile "$work/ext" -out "$work/$name.pem" 2>/dev/null
  put "$name" ca.pem <"$work/ca.pem"
  put "$name" tls.pem <"$work/$name.pem"
  put "$name" tls.key <"$work/$name.key"
done
# Kafka wants both in one file.
cat "$work/kafka.key" "$work/kafka.pem" | put kafka keystore.pem
put operator ca.pem <"$work/ca.pem"
# The authority's key goes with the folder: whoever held it could become anybody.
put operator certificates </dev/null
echo "certificates made, good for $days days"
