"""IntrospectToken a second with 64 clients, against an empty unary call on the same server.

Revocation is read from PostgreSQL at every call; 10^5 sessions are loaded by COPY. Distinct tokens: each
is seen for the first time, so its signature is verified too. Seen tokens: verified before.
"""
from bench import accounts, frame

NAME = "introspect"
UNIT = "x empty call, distinct tokens"
AT_LEAST = 0.25
SESSIONS = 100_000


def run(rounds, seconds):
    distinct, seen, detail = [], [], []
    with frame.running(seconds) as context:
        tokens = load_tokens(context)
        few = context.stack.run_dir / "few.tokens"
        few.write_text("".join(tokens.read_text().splitlines(keepends=True)[:10_000]))
        context.load("introspect", clients=64, seconds=2, tokens=few)  # warm
        for _ in range(rounds):
            empty = context.load("empty", clients=64)["per_second"]
            context.stack.part("auth").restart()  # forgets every verified signature
            fresh = good(context.load("introspect", clients=64, tokens=tokens, warm_up=0, seconds=min(seconds, 3)))
            context.load("introspect", clients=64, tokens=few, seconds=2)
            known = good(context.load("introspect", clients=64, tokens=few))
            distinct.append(fresh["per_second"] / empty)
            seen.append(known["per_second"] / empty)
            detail.append({"empty_per_second": round(empty), "distinct_per_second": round(fresh["per_second"]),
                           "seen_per_second": round(known["per_second"]), "distinct_p99_ms": fresh["p99_ms"],
                           "seen_p99_ms": known["p99_ms"], "distinct_calls": fresh["good"]})
    median_seen = round(frame.statistics.median(seen), 3)
    return distinct, {"seen_ratio": median_seen, "seen_at_least": 0.5, "sessions": SESSIONS, "rounds": detail}


def load_tokens(context):
    variables = context.stack.variables()
    users = accounts.load_users(variables["DATABASE_URL"], SESSIONS)
    sessions = accounts.load_sessions(variables["DATABASE_URL"], users)
    file = context.stack.run_dir / "all.tokens"
    accounts.mint_tokens(variables, users, sessions, file)
    return file


def good(report):
    if report["refused"]:
        raise RuntimeError(f"refused: {report['refused']}")
    return report
