"""Two relays on one slot under 500 events a second: the leader is killed, steps down, or is frozen.

The figure is the time from kill -9 to the standby's first new event in Kafka; the detail has the same for the other
two. Each kind has a stack of its own, and a verdict of the ledger. A frozen leader that thaws may send what it had
in flight once more: its duplicates are counted, not forbidden.
"""
import contextlib
import signal
import time

from bench import frame, handover
from tests.support.event_writer import EventWriter
from tests.support.observe import metric, wait_for
from tests.support.second_relay import SecondRelay

NAME = "relay_failover"
UNIT = "s from kill -9 to first new event"
AT_MOST = 3
TAKEOVER_AFTER = 2  # the relay's default, in seconds
ALSO_AT_MOST = {"killed.duplicates": 0, "killed.lost": 0, "killed.other_faults": 0,
                "stepped_down.first_any_s": 1, "stepped_down.duplicates": 0, "stepped_down.lost": 0,
                "stepped_down.other_faults": 0,
                "frozen.first_new_s": TAKEOVER_AFTER + 3, "frozen.lost": 0, "frozen.other_faults": 0}


def run(rounds, seconds):
    found, detail = {}, {}
    for name, strike in (("killed", kill), ("stepped_down", step_down), ("frozen", freeze)):
        found[name], detail[name] = under(strike, rounds, seconds)
    return [r["first_new_s"] for r in found["killed"]], detail


def under(strike, rounds, seconds):
    with frame.running(seconds, only=handover.PARTS) as context, two_relays(context.stack) as relays:
        env = context.stack.variables()
        with EventWriter(env["DATABASE_URL"], handover.PER_SECOND) as writer:
            faults = [one_round(strike, relays, env, writer, seconds) for _ in range(rounds)]
        return handover.judge(env, faults)


@contextlib.contextmanager
def two_relays(stack):
    first, second = stack.part("relay"), SecondRelay(stack)
    second.start()
    try:
        yield first, second
    finally:
        for relay in (first, second):
            relay.process.send(signal.SIGCONT)
        second.stop()


def one_round(strike, relays, env, writer, seconds):
    """Ends as it begins: one leads, the other stands by."""
    wait_for(lambda: leads(relays[0]) != leads(relays[1]), "one of the two to lead")
    leader, standby = relays if leads(relays[0]) else reversed(relays)
    handover.steady(writer, seconds)
    before = handover.left_out(standby)
    began = time.time()
    with strike(leader):
        silent = time.time()
        streaming = handover.streaming_since(standby, began)
        handover.caught_up(env["DATABASE_URL"])
    wait_for(lambda: leader.serves() and not leads(leader), "the former leader to stand by")
    return handover.Fault(at=began, new_from=silent, streaming=streaming, left_out=handover.left_out(standby) - before)


def leads(relay):
    return metric(relay.metrics, "relay_leader") == 1


@contextlib.contextmanager
def kill(leader):
    leader.kill()
    yield
    leader.start()


@contextlib.contextmanager
def step_down(leader):
    """What it relays until it is gone is no event of the other, so this one is judged by first_any_s."""
    leader.signal_stop()
    yield
    if not leader.wait_stopped():
        raise RuntimeError("the leader did not stop by itself")
    leader.start()


@contextlib.contextmanager
def freeze(leader):
    leader.process.send(signal.SIGSTOP)
    wait_for(lambda: frame.state_of(leader.pid) == "T", "the leader to stop", every=0.001)
    yield
    leader.process.send(signal.SIGCONT)
