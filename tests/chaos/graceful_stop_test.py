"""SIGTERM under 500 calls a second: no accepted call fails, no event is lost, exit 0 within ten seconds."""
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


@pytest.mark.parametrize("name", ["auth", "relay", "otp"])
def test_K4_sigterm_under_load_loses_nothing(stack, env, name):
    first = secrets.randbelow(900) * 100_000
    load = start_load(env, first)
    wait_for(lambda: users_from(env, first) > 300, "the load to run")
    stop_gracefully(stack.part(name))
    stack.part(name).start()
    out, _ = load.communicate(timeout=60)
    report = json.loads(out)
    # A call that was never accepted is refused as UNAVAILABLE (14), or as CANCELLED (1) by the transport if it was on
    # the way just then; nothing else may happen to any.
    assert set(report["refused"]) <= ({"code 14", "code 1"} if name == "auth" else set()), report
    wait_for(lambda: users_from(env, first) == report["good"], "one account per good answer and none besides", 10)
    wait_for(lambda: arrived(env), "every event in Kafka", 60, every=0.5)
