"""A canary goes through table, source, relay and Kafka, is missed when one of them is away, and leaves nothing behind."""
import pathlib

import psycopg
import pytest

from deploy.dev.stack import Stack
from tests.chaos.admin_verbs_test import tell
from tests.support.observe import headers_of, metric, query, raw_records, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPIC = "countersign.relay.canary"
SOURCES = {
    "wal": {"publications": ["countersign_auth", "countersign_otp", "countersign_relay"]},
    "table": {"source": "table", "on_refusal": "hold", "tables": ["auth.event_log", "otp.event_log", "relay.canary"]},
}


@pytest.fixture(scope="module", params=["wal", pytest.param("table", marks=pytest.mark.full)])
def stack(request):
    settings = {"relay": {"canary.interval": "500ms", **SOURCES[request.param]}}
    with Stack(run_dir=ROOT / ".run" / f"canary-{request.param}", only=("postgres", "kafka", "relay"), fresh=True, settings=settings) as running:
        yield running


@pytest.fixture
def relay(stack):
    relay = stack.part("relay")
    wait_for(lambda: metric(relay.metrics, "relay_canary_seconds") > 0, "a canary to come back")
    return relay


def flown(env):
    return len(raw_records(env["KAFKA_BROKERS"], [TOPIC]))


def overdue(relay):
    return metric(relay.metrics, "relay_canary_overdue")


def test_canaries_come_back_as_records_and_their_rows_are_deleted(stack, relay):
    env = stack.variables()
    seconds = metric(relay.metrics, "relay_canary_seconds")
    assert 0 < seconds < 5 and overdue(relay) == 0
    before = flown(env)
    wait_for(lambda: flown(env) > before + 3, "more of them", every=0.3)
    newest = headers_of(raw_records(env["KAFKA_BROKERS"], [TOPIC])[-1])
    assert newest["ce_type"] == "relay.canary" and newest["ce_source"] == "/countersign/relay"
    assert query(env["DATABASE_URL"], "SELECT count(*) FROM relay.canary")[0][0] <= 1


def test_an_idle_database_has_its_position_moved(stack, relay):
    before = metric(relay.metrics, "relay_confirmed_lsn")
    wait_for(lambda: metric(relay.metrics, "relay_confirmed_lsn") > before, "the position to move")


def test_a_paused_relay_sends_none_and_misses_none(stack, relay):
    env = stack.variables()
    tell(relay, "drain")
    before = flown(env)
    wait_for(lambda: metric(relay.metrics, "relay_paused") == 1, "the pause")
    assert query(env["DATABASE_URL"], "SELECT count(*), pg_sleep(1.5) FROM relay.canary")[0][0] <= 1
    assert flown(env) == before and overdue(relay) == 0
    tell(relay, "resume")
    wait_for(lambda: flown(env) > before, "canaries again", every=0.3)


def test_with_kafka_away_it_is_overdue_and_afterwards_not(stack, relay):
    stack.part("kafka").kill()
    wait_for(lambda: overdue(relay) == 1, "the canary to be missed", 40)
    stack.part("kafka").start()
    wait_for(lambda: overdue(relay) == 0, "a canary after Kafka came back", 90)


def test_without_the_right_to_write_it_is_overdue_and_says_why(stack, relay):
    database = stack.variables()["DATABASE_URL"]
    run(database, "REVOKE INSERT ON relay.canary FROM countersign_relay")
    try:
        wait_for(lambda: overdue(relay) == 1, "the canary to be missed", 40)
        assert "the canary is in trouble" in relay.log.read_text()
    finally:
        run(database, "GRANT INSERT ON relay.canary TO countersign_relay")
    wait_for(lambda: overdue(relay) == 0, "a canary again", 40)


def run(database, statement):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement)
