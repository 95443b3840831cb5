"""delivery: transactional: killed at each point, frozen or cut off, the relay makes every event visible once and in order."""
import contextlib
import signal

import psycopg
import pytest
from confluent_kafka import Producer

from deploy.dev.stack import Stack
from tests.chaos import parking_test, standby_test
from tests.chaos.crash_points_test import armed
from tests.chaos.ledger_test import ROOT
from tests.chaos.standby_test import leads, ledger, progress
from tests.support.event_writer import EventWriter
from tests.support.observe import metric, query, records, wait_for

TRANSACTIONAL = {"RELAY_DELIVERY": "transactional"}
TRANSACTIONAL_ID = "countersign.relay.checkpoints/countersign"
relays = standby_test.relays


@pytest.fixture(scope="module")
def transactional_stack():
    with Stack(run_dir=ROOT / ".run" / "transactional", fresh=True, build="asan", only=("postgres", "kafka", "relay"),
               environment={"relay": TRANSACTIONAL, "relay_b": TRANSACTIONAL}) as running:
        yield running


@pytest.fixture
def stack(transactional_stack):
    transactional_stack.start()
    return transactional_stack


@pytest.fixture
def env(stack):
    return stack.variables()


def exactly_once(env):
    verdict = ledger(env)
    assert verdict.duplicates == 0, str(verdict)


@contextlib.contextmanager
def rolled_back(database):
    """Rows that nobody may ever see, written within the block and taken back at its end."""
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers) SELECT gen_random_uuid(), "
                           "'auth.log', 'nobody', 'test.tick', n, '{}', '{}' FROM generate_series(1, 500) n")
        yield
        connection.rollback()


def points(*always, full):
    return [*always, *(pytest.param(point, marks=pytest.mark.full) for point in full)]


@pytest.mark.parametrize("point", points(
    "after_begin:5", "after_produce:20", "before_commit:5", "after_commit:5", "after_confirm:3",
    full=["after_begin", "after_produce", "after_delivery:10", "before_checkpoint", "before_commit", "after_commit", "before_confirm"]))
def test_I1_I2_I3_killed_at_each_point_nothing_is_lost_doubled_or_out_of_order(stack, env, point):
    with armed(stack, "relay", point) as relay, EventWriter(env["DATABASE_URL"]) as writer, rolled_back(env["DATABASE_URL"]):
        wait_for(lambda: not relay.running(), f"the relay to die at {point}")
        progress(writer, 50)
    exactly_once(env)


def test_I1_I2_I3_killed_again_and_again_at_random_moments(stack, env):
    relay = stack.part("relay")
    with EventWriter(env["DATABASE_URL"]) as writer:
        for _ in range(5):
            progress(writer, 150)
            relay.kill()
            relay.start()
            wait_for(lambda: leads(relay), "the relay to lead")
        progress(writer)
    exactly_once(env)


def test_I1_I2_I3_a_zombie_makes_nothing_visible_and_stands_by(relays, env):
    leader, standby = relays
    with EventWriter(env["DATABASE_URL"]) as writer:
        for _ in range(2):
            progress(writer)
            leader.process.send(signal.SIGSTOP)
            wait_for(lambda: leads(standby), "the standby to lead")
            progress(writer)
            leader.process.send(signal.SIGCONT)
            wait_for(lambda: not leads(leader) and leader.serves(), "the thawed one to stand by")
            progress(writer)
            assert leader.running()
            assert metric(leader.metrics, "relay_reconnects_total") > 0, "it has given up its session"
            leader, standby = standby, leader
    exactly_once(env)


def test_a_relay_whose_name_another_one_takes_gives_up_counts_it_and_goes_on(stack, env):
    relay = stack.part("relay")
    before = metric(relay.metrics, "relay_reconnects_total", cause="fenced")
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        Producer({"bootstrap.servers": env["KAFKA_BROKERS"], "transactional.id": TRANSACTIONAL_ID}).init_transactions(30)
        progress(writer)
        wait_for(lambda: metric(relay.metrics, "relay_reconnects_total", cause="fenced") > before, "the relay to see that it is fenced")
        wait_for(lambda: leads(relay), "the relay to lead again")
    assert metric(relay.metrics, "relay_kafka_transactions_total", result="aborted") > 0
    exactly_once(env)


def test_I1_I2_I3_a_broker_that_is_killed_within_a_transaction(stack, env):
    kafka = stack.part("kafka")
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        kafka.kill()
        progress(writer)
        kafka.start()
        progress(writer)
    exactly_once(env)


def test_I1_I2_I3_a_crash_of_postgresql(stack, env):
    postgres = stack.part("postgres")
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
    postgres.kill()
    postgres.start()
    wait_for(lambda: leads(stack.part("relay")), "the relay to lead", 60)
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
    exactly_once(env)


def test_I1_I2_I3_one_transaction_of_postgresql_is_never_seen_in_part(stack, env):
    """A reader that looks all the time sees all 3,000 events or none."""
    database = env["DATABASE_URL"]
    query(database, "WITH w AS (INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload, headers) SELECT gen_random_uuid(), "
          "'auth.log', 'big', 'test.tick', n, '{}', '{}' FROM generate_series(1, 3000) n RETURNING 1) SELECT count(*) FROM w")
    seen = set()

    def all_there():
        seen.add(sum(record.key == "big" for record in records(env["KAFKA_BROKERS"], ("auth.log",))))
        return 3000 in seen
    wait_for(all_there, "the big transaction", 60, every=0)
    assert seen <= {0, 3000}


# What parking and rebuilding leave in the log are rows that Kafka never gets: a stack of their own.
@pytest.fixture(scope="module")
def parking_stack():
    with Stack(run_dir=ROOT / ".run" / "transactional_parking", only=("postgres", "kafka", "relay"), fresh=True, build="asan",
               environment={"relay": TRANSACTIONAL}) as running:
        yield running


@pytest.mark.parametrize("point", ["before_park", "after_park"])
def test_I1_I2_I3_killed_while_it_parks(parking_stack, point):
    parking_test.test_I1_I2_I3_killed_while_it_parks(parking_stack, parking_stack.variables()["DATABASE_URL"], point)


@pytest.mark.parametrize("point", points("before_commit:2", "after_commit:2",
                                         full=["after_begin", "after_begin:2", "after_produce:20", "before_release"]))
def test_I1_I2_I3_killed_while_it_releases(parking_stack, point):
    parking_test.test_I1_I2_I3_killed_while_it_releases(parking_stack, parking_stack.variables()["DATABASE_URL"], point)


@pytest.mark.parametrize("point", points("before_commit:2", full=["before_new_slot", "after_new_slot", "after_produce:20", "after_commit:2"]))
def test_I1_I2_I3_killed_while_it_rebuilds(parking_stack, point):
    parking_test.test_I1_I2_I3_killed_while_it_rebuilds(parking_stack, parking_stack.variables()["DATABASE_URL"], point)
