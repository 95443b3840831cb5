"""Two relays on one slot: whatever happens to the one that leads, the other goes on where Kafka stands."""
import signal

from tests.chaos import two_relays
from tests.chaos.two_relays import leads, ledger, progress
from tests.support.event_writer import EventWriter
from tests.support.observe import wait_for

relays = two_relays.relays


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
