"""From exec to serving, each service; the database and Kafka are already there."""
import statistics
import time

from bench import frame

NAME = "start"
UNIT = "s, slowest service"
AT_MOST = 0.3
SERVICES = ("auth", "relay", "otp")


def run(rounds, seconds):
    times = {name: [] for name in SERVICES}
    with frame.running(seconds) as context:
        for _ in range(rounds):
            for name in SERVICES:
                part = context.stack.part(name)
                part.stop()
                began = time.monotonic()
                part.start()
                times[name].append(time.monotonic() - began)
    slowest = [max(times[name][i] for name in SERVICES) for i in range(rounds)]
    return slowest, {name: round(statistics.median(values), 3) for name, values in times.items()}
