"""Latency of a sign-up at 500 a second, open loop, minus pgbench's at the same rate."""
from bench import frame

NAME = "signup_latency"
UNIT = "ms over pgbench p50 at 500/s"
AT_MOST = 1.0
RATE = 500


def run(rounds, seconds):
    values, detail = [], []
    with frame.running(seconds) as context:
        for _ in range(rounds):
            limit = context.pgbench("signup.sql", clients=16, rate=RATE)
            ours = context.load("signup", rate=RATE, first=context.fresh_numbers(100_000))
            values.append(ours["p50_ms"] - limit["p50_ms"])
            detail.append({"p50_ms": ours["p50_ms"], "p99_ms": ours["p99_ms"], "pgbench_p50_ms": limit["p50_ms"],
                           "pgbench_p99_ms": limit["p99_ms"], "p99_over_ms": round(ours["p99_ms"] - limit["p99_ms"], 3)})
    return values, {"rounds": detail}
