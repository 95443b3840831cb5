"""SIGTERM under 500 calls a second: no accepted call fails, no event is lost, exit 0 within ten seconds."""
import collections
import json
import pathlib
import secrets
import subprocess
import time

import pytest

from tests.chaos.outage_test import arrived
from tests.support.observe import query, wait_for

LOAD = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/countersign-load"


def start_load(env, first, seconds=6):
    return subprocess.Popen(
        [LOAD, "signup", "--target", env["AUTH_GRPC"], "--rate", "500", "--seconds", str(seconds), "--warm-up", "0", "--first", str(first)],
        stdout=subprocess.PIPE, text=True)


def stop_gracefully(part):
    began = time.monotonic()
    assert part.stop(), f"{part.name} had to be killed"
    assert time.monotonic() - began < 10
    assert part.process.exit_code() in (0, None)


def users_from(env, first):
    return query(env["DATABASE_URL"], "SELECT count(*) FROM auth.users WHERE phone >= %s AND phone < %s",
                 f"+49151{first:08d}", f"+49151{first + 100_000:08d}")[0][0]


def accepted_sign_ups(log, begin):
    """How often auth answered what, by its own log from that place on."""
    lines = log.read_bytes()[begin:].decode(errors="replace").splitlines()
    return collections.Counter(json.loads(line)["code"] for line in lines if '"SignupWithPhoneNumber"' in line)


@pytest.mark.parametrize("name", ["auth", "relay", "otp"])
def test_K4_sigterm_under_load_loses_nothing(stack, env, name):
    first = secrets.randbelow(900) * 100_000
    log = stack.part("auth").log
    begin = log.stat().st_size
    load = start_load(env, first)
    wait_for(lambda: users_from(env, first) > 300, "the load to run")
    stop_gracefully(stack.part(name))
    stack.part(name).start()
    out, _ = load.communicate(timeout=60)
    report = json.loads(out)
    wait_for(lambda: accepted_sign_ups(log, begin) == {"OK": report["good"]}, "a line of success for every call that was accepted", 10)
    # A call that came too late is refused as UNAVAILABLE (14), or, if it was sent before the client
    # read that the connection is going away, as CANCELLED (1). Nothing else may happen to any.
    assert set(report["refused"]) <= ({"code 1", "code 14"} if name == "auth" else set()), report
    wait_for(lambda: users_from(env, first) == report["good"], "one account per good answer and none besides", 10)
    wait_for(lambda: arrived(env), "every event in Kafka", 60, every=0.5)
