"""SIGTERM under 500 calls a second: no accepted call fails, no event is lost, exit 0 within ten seconds."""
import collections
import json
import pathlib
import secrets
import subprocess
import time

import pytest

from bench import accounts
from tests.chaos.outage_test import arrived
from tests.support.observe import query, wait_for

LOAD = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/countersign-load"


RATE, SECONDS = 500, 6


def start_load(env, scenario, first):
    return subprocess.Popen(
        [LOAD, scenario, "--target", env["AUTH_GRPC"], "--rate", str(RATE), "--seconds", str(SECONDS), "--warm-up", "0",
         "--first", str(first)], stdout=subprocess.PIPE, text=True)


def restart_under(load, part):
    """Stops the part gracefully and starts it again; returns what the load says at its end."""
    began = time.monotonic()
    assert part.stop(), f"{part.name} had to be killed"
    assert time.monotonic() - began < 10
    assert part.process.exit_code() == 0
    part.start()
    out, _ = load.communicate(timeout=60)
    return json.loads(out)


def users_from(env, first):
    return query(env["DATABASE_URL"], "SELECT count(*) FROM auth.users WHERE phone >= %s AND phone < %s",
                 f"+49151{first:08d}", f"+49151{first + 100_000:08d}")[0][0]


def answers(part, begin, method):
    """How often the part answered what, by its own log from that place on."""
    lines = part.log.read_bytes()[begin:].decode(errors="replace").splitlines()
    return collections.Counter(json.loads(line)["code"] for line in lines if f'"{method}"' in line)


@pytest.mark.parametrize("name", ["auth", "relay"])
def test_K4_sigterm_under_load_loses_nothing(stack, env, name):
    first = secrets.randbelow(900) * 100_000
    begin = stack.part("auth").log.stat().st_size
    load = start_load(env, "signup", first)
    wait_for(lambda: users_from(env, first) > 300, "the load to run")
    report = restart_under(load, stack.part(name))
    wait_for(lambda: answers(stack.part("auth"), begin, "SignupWithPhoneNumber") == {"OK": report["good"]},
             "a line of success for every call that was accepted", 10)
    # A call that came too late is refused as UNAVAILABLE (14), or, if it was sent before the client
    # read that the connection is going away, as CANCELLED (1). Nothing else may happen to any.
    assert set(report["refused"]) <= ({"code 1", "code 14"} if name == "auth" else set()), report
    wait_for(lambda: users_from(env, first) == report["good"], "one account per good answer and none besides", 10)
    wait_for(lambda: arrived(env), "every event in Kafka", 60, every=0.5)


def test_K4_sigterm_to_otp_under_checks_and_sends_loses_nothing(stack, env):
    first = (900 + secrets.randbelow(99)) * 100_000  # numbers no sign-up above has
    accounts.load_users(env["DATABASE_URL"], RATE * SECONDS + 1, first)
    begin = stack.part("otp").log.stat().st_size
    load = start_load(env, "login", first)
    wait_for(lambda: answers(stack.part("otp"), begin, "VerifyOtp").total() > 300, "the load to run")
    report = restart_under(load, stack.part("otp"))
    # The load guesses, so an answered check is a refusal of the code. While otp is away, auth says
    # so. A call that comes while otp listens again but cannot shake hands yet waits for that, and
    # on a slow machine too long. Nothing else may happen to any.
    refused = collections.Counter(report["refused"])
    checked, late = refused["validate CODE_REJECTED"] + report["good"], refused["validate DEADLINE_EXCEEDED"]
    assert refused.keys() <= {"validate CODE_REJECTED", "validate DEPENDENCY_UNAVAILABLE", "validate DEADLINE_EXCEEDED"}, report
    assert refused["validate DEPENDENCY_UNAVAILABLE"], "the stop fell outside the load"

    def every_accepted_check_is_answered():
        told = answers(stack.part("otp"), begin, "VerifyOtp")
        return checked <= told["OK"] and told.total() <= checked + late and told.keys() <= {"OK", "DEADLINE_EXCEEDED"}

    wait_for(every_accepted_check_is_answered, "an answer for every check that was accepted, and no other", 10)
    wait_for(lambda: arrived(env), "every event in Kafka", 60, every=0.5)
