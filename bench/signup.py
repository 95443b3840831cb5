"""Sign-ups a second over gRPC, against pgbench running the same rows as one transaction per call.

The relay runs in both, otp in neither. Rounds are interleaved; the figure is the ratio with 64 clients.
"""
from bench import frame

NAME = "signup"
UNIT = "x pgbench -c16, 64 clients"
AT_LEAST = 1.3
CLIENTS = (16, 64, 256)


def run(rounds, seconds):
    ratios = {clients: [] for clients in CLIENTS}
    detail = []
    with frame.running(seconds) as context:
        context.stack.part("otp").stop()  # what becomes of the codes is measured elsewhere
        context.load("signup", clients=64, seconds=2, first=context.fresh_numbers(200_000))  # warm
        for _ in range(rounds):
            limit = context.pgbench("signup.sql", clients=16)["per_second"]
            row = {"pgbench_per_second": round(limit)}
            for clients in CLIENTS:
                ours = context.load("signup", clients=clients, first=context.fresh_numbers(1_000_000))
                if ours["refused"]:
                    raise RuntimeError(f"refused: {ours['refused']}")
                ratios[clients].append(ours["per_second"] / limit)
                row[f"clients_{clients}"] = {"ratio": round(ratios[clients][-1], 3), "per_second": round(ours["per_second"]),
                                             "p50_ms": ours["p50_ms"], "p99_ms": ours["p99_ms"],
                                             "load_client_cores": round(ours["load_client_cores"], 2)}
            detail.append(row)
    medians = {f"clients_{c}": round(frame.statistics.median(ratios[c]), 3) for c in CLIENTS}
    return ratios[64], {"median_ratio": medians, "at_least": {"clients_64": 1.3, "clients_256": 1.7}, "rounds": detail}
