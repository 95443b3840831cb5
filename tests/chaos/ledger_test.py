"""The ledger run: everything is killed at random while people sign up, and nothing is lost."""
import os
import pathlib
import secrets

import pytest

from deploy.dev.stack import Stack
from tests.chaos.ledger import check, provider_faults
from tests.chaos.storm import Storm, kill_at_random
from tests.support.observe import get_json, log_rows, query, records, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPEN_INTENTS = "SELECT count(*) FROM otp.deliveries WHERE state IN ('received', 'sending')"
UNCONSUMED = ("SELECT count(*) FROM auth.event_log l WHERE l.topic = 'verification' "
              "AND NOT EXISTS (SELECT 1 FROM otp.deliveries d WHERE d.event_id = l.event_id)")
DELIVERIES = "SELECT v.phone, d.state FROM otp.deliveries d JOIN auth.verifications v USING (challenge_id)"


def everything_arrived(env):
    known = {record.event_id for record in records(env["KAFKA_BROKERS"])}
    return all(row.event_id in known for row in log_rows(env["DATABASE_URL"]))


def judge(env):
    database = env["DATABASE_URL"]
    wait_for(lambda: query(database, UNCONSUMED) == [(0,)], "every SendOtp to have an intent", 120, every=0.5)
    wait_for(lambda: query(database, OPEN_INTENTS) == [(0,)], "every intent to end", 120, every=0.5)
    wait_for(lambda: everything_arrived(env), "every committed event in Kafka", 120, every=1)
    verdict = check(log_rows(database), records(env["KAFKA_BROKERS"]))
    sends = [(send["to"], send["attempt_id"]) for send in get_json(f"{env['TWILIO_FAKE']}/_fake/ledger")["sends"]]
    return verdict, provider_faults(sends, query(database, DELIVERIES))


def run(seconds, at_least, capsys):
    seed = os.environ.get("COUNTERSIGN_SEED") or secrets.token_hex(4)
    # Shown whether the test passes or not: what a green run went through is part of its result.
    with capsys.disabled():
        print(f"\nledger run: seed {seed} (COUNTERSIGN_SEED={seed} repeats it)")
    with Stack(run_dir=ROOT / ".run" / "chaos", fresh=True) as stack:
        env = stack.variables()
        with Storm(env, seed) as storm:
            kills = kill_at_random(stack, seconds, at_least, seed)
        verdict, provider = judge(env)
        with capsys.disabled():
            print(f"kills {kills}; {storm.committed} commits, {storm.rolled_back} rollbacks, {storm.lives} lives, "
                  f"{storm.interrupted} interruptions; {verdict}")
        assert storm.committed > 100 and storm.lives > 3, "the storm must have done something"
        assert min(kills.values()) >= at_least
        assert not verdict.faults, str(verdict)
        assert not provider, provider


def test_I1_I2_I4_nothing_is_lost_when_everything_is_killed_for_a_minute(capsys):
    run(seconds=60, at_least=5, capsys=capsys)


@pytest.mark.full
def test_I1_I2_I4_nothing_is_lost_when_everything_is_killed_for_half_an_hour(capsys):
    run(seconds=1800, at_least=100, capsys=capsys)
