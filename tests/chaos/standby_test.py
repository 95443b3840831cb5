"""Two relays on one slot: whatever happens to the one that leads, the other goes on where Kafka stands."""
import signal

import pytest

from tests.chaos.ledger import check
from tests.chaos.ledger_test import everything_arrived
from tests.support.event_writer import EventWriter
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


def test_I1_I2_a_standby_takes_over_from_a_killed_leader(relays, env):
    leader, standby = relays
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        leader.kill()
        wait_for(lambda: leads(standby), "the standby to lead")
        progress(writer)
    ledger(env)
    leader.start()
    wait_for(leader.serves, "the one that came back to stand by")
    assert not leads(leader) and leads(standby)


def test_I1_I2_I3_a_standby_takes_over_from_one_that_steps_down_and_nothing_is_doubled(relays, env):
    leader, standby = relays
    before = ledger(env).duplicates
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        assert leader.stop(), "the leader had to be killed"
        wait_for(lambda: leads(standby), "the standby to lead")
        progress(writer)
    assert ledger(env).duplicates == before


def test_I1_I2_a_frozen_leader_is_cut_off_and_does_no_harm_when_it_thaws(relays, env):
    leader, standby = relays
    with EventWriter(env["DATABASE_URL"]) as writer:
        progress(writer)
        leader.process.send(signal.SIGSTOP)
        wait_for(lambda: leads(standby), "the standby to lead")
        progress(writer)
        leader.process.send(signal.SIGCONT)
        wait_for(lambda: not leads(leader) and leader.serves(), "the thawed one to stand by")
        progress(writer)
        standby.kill()
        wait_for(lambda: leads(leader), "the thawed one to lead again")
        progress(writer)
    ledger(env)
