"""The only relay is killed under 500 events a second and started again at once.

The figure is the time from the start of its process to the first new event in Kafka: one that was written after the
start. Everything that was committed before comes first, so the relay has caught up by then.
"""
import time

from bench import frame, handover
from tests.support.event_writer import EventWriter

NAME = "relay_restart"
UNIT = "s from exec to first new event"
AT_MOST = 1
ALSO_AT_MOST = {"duplicates": 0, "lost": 0, "other_faults": 0}


def run(rounds, seconds):
    with frame.running(seconds, only=handover.PARTS) as context:
        env, relay = context.stack.variables(), context.stack.part("relay")
        with EventWriter(env["DATABASE_URL"], handover.PER_SECOND) as writer:
            faults = [one_round(env, relay, writer, seconds) for _ in range(rounds)]
        found, detail = handover.judge(env, faults)
    return [r["first_new_s"] for r in found], detail


def one_round(env, relay, writer, seconds):
    handover.steady(writer, seconds)
    relay.kill()
    started = time.time()
    relay.spawn()
    streaming = handover.streaming_since(relay, started)
    relay.wait_ready()
    handover.caught_up(env["DATABASE_URL"])
    return handover.Fault(at=started, new_from=started, streaming=streaming, left_out=handover.left_out(relay))
