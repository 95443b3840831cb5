"""Relays whose source are the tables, with a role that has no replication rights: killed, frozen and
without Kafka, they lose nothing, and only a frozen one may double what was in its hands."""
import psycopg
import pytest

from deploy.dev.stack import Stack
from tests.chaos import admin_verbs_test, standby_test, two_relays
from tests.chaos.ledger_test import ROOT
from tests.chaos.two_relays import leads, ledger, progress
from tests.support.event_writer import EventWriter
from tests.support.observe import metric, query, wait_for

TABLE = {"RELAY_SOURCE": "table"}
relays = two_relays.relays
relay = admin_verbs_test.relay


@pytest.fixture(scope="module")
def table_stack():
    with Stack(run_dir=ROOT / ".run" / "table_source", fresh=True, environment={"relay": TABLE, "relay_b": TABLE}) as running:
        database = running.variables()["DATABASE_URL"]
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("ALTER ROLE countersign_relay NOREPLICATION")
            for schema in ("auth", "otp"):
                connection.execute(f"CREATE INDEX ON {schema}.event_log (xid, id)")
        yield running


@pytest.fixture
def stack(table_stack):
    table_stack.start()
    return table_stack


def test_I1_I2_I3_a_relay_that_is_killed_again_and_again_loses_and_doubles_nothing(stack, env):
    relay = stack.part("relay")
    with EventWriter(env["DATABASE_URL"]) as writer:
        for _ in range(5):
            progress(writer, 100)
            relay.kill()
            relay.start()
            wait_for(lambda: leads(relay), "the relay to lead")
        progress(writer)
    assert ledger(env).duplicates == 0
    assert query(env["DATABASE_URL"], "SELECT count(*) FROM pg_replication_slots") == [(0,)]


def test_I1_I2_a_standby_takes_over_from_a_killed_leader(relays, env):
    standby_test.test_I1_I2_a_standby_takes_over_from_a_killed_leader(relays, env)


def test_I1_I2_a_frozen_leader_is_cut_off_and_does_no_harm_when_it_thaws(relays, env):
    standby_test.test_I1_I2_a_frozen_leader_is_cut_off_and_does_no_harm_when_it_thaws(relays, env)


def test_I1_I2_I3_a_crash_of_postgresql_loses_and_doubles_nothing(stack, env):
    relay, postgres = stack.part("relay"), stack.part("postgres")
    before = ledger(env).duplicates
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer, 100)
    postgres.kill()
    postgres.start()
    wait_for(lambda: leads(relay), "the relay to lead")
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer, 100)
    assert ledger(env).duplicates == before
    assert metric(relay.metrics, "relay_reconnects_total") > 0


def test_I1_I2_I3_a_drain_under_load_covers_what_was_committed_even_if_the_relay_is_killed_then(relay, env):
    admin_verbs_test.test_I1_I2_I3_a_drain_under_load_covers_what_was_committed_even_if_the_relay_is_killed_then(relay, env)


def test_I1_I2_I3_a_step_down_under_load_hands_over_within_a_second_and_doubles_nothing(relays, env):
    admin_verbs_test.test_I1_I2_I3_a_step_down_under_load_hands_over_within_a_second_and_doubles_nothing(relays, env)
