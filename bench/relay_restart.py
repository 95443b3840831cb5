"""The only relay is killed under 500 events a second and started again at once, at each of its three promises.

The figure is the time from the start of its process to the first new event in Kafka: one that was written after the
start. Everything that was committed before comes first, so the relay has caught up by then. It is that of the default;
the detail has all three. With `transactional` a reader sees the event some milliseconds after Kafka has it.
"""
import time

from bench import frame, handover
from tests.support.event_writer import EventWriter

NAME = "relay_restart"
UNIT = "s from exec to first new event"
AT_MOST = 1
LEVELS = ("at_least_once", "deduplicated", "transactional")
DEFAULT = "deduplicated"
NOTHING = ("lost", "other_faults")
ALSO_AT_MOST = {**{f"{level}.{what}": 0 for level in LEVELS for what in NOTHING},
                **{f"{level}.duplicates": 0 for level in LEVELS if level != "at_least_once"},
                "transactional.first_new_s": 3}


def run(rounds, seconds, levels=LEVELS):
    found = {level: one_level(level, rounds, seconds) for level in levels}
    values, _ = found[DEFAULT if DEFAULT in found else levels[0]]
    return values, {level: detail for level, (_, detail) in found.items()}


def one_level(level, rounds, seconds):
    with frame.running(seconds, only=handover.PARTS, environment={"relay": {"RELAY_DELIVERY": level}}) as context:
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
