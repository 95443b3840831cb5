"""Two relays of one stack on one slot, and what happens between them."""
import signal

import pytest

from tests.chaos.ledger import check
from tests.chaos.ledger_test import everything_arrived
from tests.support.observe import log_rows, metric, records, wait_for
from tests.support.second_relay import SecondRelay


@pytest.fixture
def relays(stack):
    """The leader and the one that stands by."""
    first, second = stack.part("relay"), SecondRelay(stack)
    second.start()
    try:
        wait_for(lambda: leads(first) != leads(second), "one of the two to lead")
        yield (first, second) if leads(first) else (second, first)
    finally:
        for relay in (first, second):
            relay.process.send(signal.SIGCONT)
        second.stop()


def leads(relay):
    return metric(relay.metrics, "relay_leader") == 1


def progress(writer, events=200):
    """Waits until that many more events are committed."""
    goal = writer.written + events
    wait_for(lambda: writer.written >= goal, "the writer")


def ledger(env):
    wait_for(lambda: everything_arrived(env), "every committed event in Kafka", 60, every=0.5)
    verdict = check(log_rows(env["DATABASE_URL"]), records(env["KAFKA_BROKERS"]))
    assert not verdict.faults, str(verdict)
    return verdict


def in_kafka(env):
    """The ids of all events there."""
    return {record.event_id for record in records(env["KAFKA_BROKERS"])}
