"""What the rounds of relay_vs_debezium come to. Pure.

rounds: one dictionary per round, contender -> what its piece found. Ratios are taken within a round, in which all had
the same work in turn; the figure is the median of the rounds.
"""
import dataclasses
import statistics

OURS, STRONGEST = "deduplicated", "transactional"
TUNED, EXACTLY_ONCE = "tuned", "exactly_once"
WRONG = ("duplicates", "lost", "other_faults")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One result file, in the words that bench/frame.py reads of a module."""
    NAME: str
    UNIT: str
    bounds: dict

    def __getattr__(self, name):
        if name in ("AT_LEAST", "AT_MOST", "ALSO_AT_MOST") and name in self.bounds:
            return self.bounds[name]
        raise AttributeError(name)


FAULTLESS = {f"contenders.{OURS}.{what}": 0 for what in WRONG}
THROUGHPUT = Figure("relay_vs_debezium_throughput", "x Debezium's best profile, draining", {"AT_LEAST": 3.5, "ALSO_AT_MOST": FAULTLESS})
P99 = Figure("relay_vs_debezium_p99", "x Debezium tuned, commit to Kafka", {
    "AT_MOST": 0.7, "ALSO_AT_MOST": {"p50_ratio": 0.7, **FAULTLESS}})
CPU = Figure("relay_vs_debezium_cpu", "x less CPU per event than tuned", {"AT_LEAST": 10})
RESTART = Figure("relay_vs_debezium_restart", "x Debezium tuned, to first new event", {"AT_MOST": 1, "ALSO_AT_MOST": FAULTLESS})
ALL = (THROUGHPUT, P99, CPU, RESTART)


def results(piece, rounds, profiles):
    """(figure, values, detail) of each figure of a piece."""
    if piece == "drain":
        yield THROUGHPUT, throughput(rounds, profiles), by_contender(rounds)
    if piece == "live":
        values, detail = p99(rounds)
        yield P99, values, {**detail, **by_contender(rounds)}
        yield CPU, cpu(rounds), {"contenders": {
            name: {key: median(rounds, name, key) for key in ("cpu_s_per_million", "rss_mib", "peak_mib")} for name in rounds[0]}}
    if piece == "restart":
        yield RESTART, ratios(rounds, OURS, TUNED, "first_new_s"), by_contender(rounds)


def throughput(rounds, profiles):
    return [r[OURS]["per_second"] / max(r[name]["per_second"] for name in profiles) for r in rounds]


def p99(rounds):
    detail = {"p50_ratio": round(statistics.median(ratios(rounds, OURS, TUNED, "p50_ms")), 3)}
    if {STRONGEST, EXACTLY_ONCE} <= rounds[0].keys():
        # Of what a reader of committed records sees: the records of both are in the topic before it may.
        detail["transactional_to_exactly_once"] = {
            f"{key}_ratio": round(statistics.median(ratios(rounds, STRONGEST, EXACTLY_ONCE, f"read_{key}_ms")), 3) for key in ("p50", "p99")}
    return ratios(rounds, OURS, TUNED, "p99_ms"), detail


def cpu(rounds):
    return ratios(rounds, TUNED, OURS, "cpu_s_per_million")


def ratios(rounds, upper, lower, key):
    return [r[upper][key] / r[lower][key] for r in rounds]


def by_contender(rounds):
    """Medians of what was measured; of what is counted, events and faults, the sum of all rounds."""
    return {"contenders": {name: {key: total(rounds, name, key) if key in ("events", *WRONG) else median(rounds, name, key)
                                  for key, value in rounds[0][name].items() if not isinstance(value, str)}
                           | verdicts(rounds, name) for name in rounds[0]}}


def median(rounds, name, key):
    return round(statistics.median(r[name][key] for r in rounds), 3)


def total(rounds, name, key):
    return sum(r[name][key] for r in rounds)


def verdicts(rounds, name):
    found = [r[name]["verdict"] for r in rounds if "verdict" in r[name]]
    return {"verdicts": found} if found else {}
