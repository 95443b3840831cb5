#!/usr/bin/env python3
"""Refuses an include that crosses a layer, a third-party header outside its one library, and a file
that outgrew its size.

usage: layers.py [--root DIR]        exits 1 and lists every breach as file:line
"""
import argparse
import pathlib
import re
import sys

MAX_LINES = 400
SOURCES = {".h", ".cc"}
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')

# Third-party header prefix -> folders that may include it. Everything else may not.
THIRD_PARTY = {
    "pqxx/": ["libs/pg/"],
    "libpq-fe.h": ["libs/pg/"],
    "postgresql/libpq-fe.h": ["libs/pg/"],
    "librdkafka/": ["libs/kafka/"],
    "curl/": ["libs/http/"],
    "openssl/": ["libs/crypto/", "libs/core/random.cc"],
    "yaml-cpp/": ["libs/config/"],
    "prometheus/": ["libs/metrics/"],
    "phonenumbers/": ["services/auth/domain/phone_number.cc"],
    "boost/": ["tests/fakes/", "bench/"],
    "nlohmann/": ["libs/log/", "libs/jose/", "libs/config/", "libs/kafka/", "services/otp/providers/",
                  "services/outbox-relay/checkpoint_log.cc", "services/outbox-relay/admin.cc", "tools/", "tests/", "bench/"],
    # grpcpp costs 6 to 24 seconds a file: edges, mains and clients only.
    "grpcpp/": ["libs/rpc/", "services/*/rpc/", "services/*/clients/", "services/*/app.", "services/*/main.cc",
                "tools/", "tests/", "bench/", "examples/"],
}
GENERATED_SERVICE = re.compile(r"^countersign/.*\.grpc\.pb\.h$")

# A layer of a service -> the layers of the same service it may include (itself always).
SERVICE_LAYERS = {
    "main": {"app", "config"},
    "app": {"config", "rpc", "clients", "consumer", "flows", "store", "domain", "events", "tokens", "providers", "relay"},
    "config": {"domain", "providers", "tokens"},
    "rpc": {"flows", "domain", "events", "tokens"},
    "clients": {"flows", "domain"},
    "consumer": {"flows", "domain", "providers", "events"},
    "flows": {"domain", "store", "events", "providers", "tokens", "clients"},
    "store": {"domain"},
    "events": {"domain"},
    "providers": {"domain"},
    "tokens": {"domain"},
    "domain": set(),
}
# What domain may reach: values and the standard library.
DOMAIN_LIBS = ("libs/core/",)
# Libraries that may include other libraries than core.
LIBRARY_DEPS = {
    "outbox": {"pg", "log", "metrics"},
    "config": {"log"},
    "log": set(),
    "metrics": {"endpoint"},
    "rpc": {"log", "metrics", "config"},
    "process": {"log", "metrics", "config"},
    "http": {"metrics", "log"},
    "kafka": {"log", "metrics", "config"},
    "pg": {"log", "metrics"},
    "jose": {"crypto"},
    "keystore": {"crypto"},
    "service": {"config", "keystore", "metrics", "pg"},
}


def allowed_in(path, places):
    return any(re.match("^" + re.escape(place).replace(r"\*", "[^/]+"), path) for place in places)


def third_party_breach(path, included):
    for prefix, places in THIRD_PARTY.items():
        if included.startswith(prefix) and not allowed_in(path, places):
            return f"<{included}> belongs to {' and '.join(places)}"
    if GENERATED_SERVICE.match(included) and not allowed_in(path, THIRD_PARTY["grpcpp/"]):
        return f"{included} pulls in grpcpp"
    return None


def layer_of(path):
    parts = path.split("/")
    if len(parts) < 3 or parts[0] != "services":
        return None, None
    name = parts[2].split(".")[0]
    return parts[1], name if len(parts) > 3 or name in SERVICE_LAYERS else None


def own_breach(path, included):
    service, layer = layer_of(path)
    other_service, other_layer = layer_of(included)
    if path.startswith("libs/"):
        library = path.split("/")[1]
        if included.startswith(("services/", "tools/", "tests/", "bench/")):
            return f"a library includes {included}"
        if included.startswith("libs/"):
            other = included.split("/")[1]
            if other not in {library, "core"} | LIBRARY_DEPS.get(library, set()):
                return f"libs/{library} may not include libs/{other}"
        return None
    if not service:
        return None
    if other_service and other_service != service:
        return f"services meet in api/, not by include ({included})"
    if layer == "domain" and included.startswith("libs/") and not included.startswith(DOMAIN_LIBS):
        return f"domain is pure: {included}"
    if layer == "domain" and (included.startswith("countersign/") or included.startswith("google/")):
        return f"domain knows no wire format: {included}"
    if layer == "store" and included.startswith("libs/") and not included.startswith(("libs/core/", "libs/pg/", "libs/outbox/")):
        return f"store reaches only libs/core, libs/pg and libs/outbox: {included}"
    if layer in SERVICE_LAYERS and other_layer in SERVICE_LAYERS and other_layer != layer:
        if other_layer not in SERVICE_LAYERS[layer]:
            return f"{layer} may not include {other_layer}"
    return None


def breaches(root):
    for folder in ("libs", "services", "tools", "tests", "bench", "examples"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SOURCES | {".py", ".sh"} or not file.is_file():
                continue
            path = file.relative_to(root).as_posix()
            lines = file.read_text(encoding="utf-8").splitlines()
            if len(lines) > MAX_LINES:
                yield f"{path}:{len(lines)}: more than {MAX_LINES} lines: split it by purpose"
            if file.suffix not in SOURCES:
                continue
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                if match:
                    why = third_party_breach(path, match[1]) or own_breach(path, match[1])
                    if why:
                        yield f"{path}:{number}: {why}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    found = list(breaches(parser.parse_args().root))
    print("\n".join(found) if found else "layers: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
