"""Breaks a stack in every way that an alert speaks of and writes down what Prometheus would have seen.

usage: python -m tests.chaos.record [SCENARIO...]        writes deploy/monitoring/recorded/*.yaml

Each file is a test for `promtool test rules`: the series, and which alerts fire at the end of the fault. A sample
is taken every second or two and replayed as if it were 15 s, a usual scrape interval: a fault of half a minute then
lasts as long as the alerts wait for. The values are as they were.
"""
import argparse
import contextlib
import dataclasses
import pathlib
import re
import typing

from deploy.dev.stack import Stack
from tests.chaos import faults
from tests.support import promtool
from tests.support.recorder import Recorder, run_length
from tests.support.second_relay import SecondRelay

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDED = promtool.MONITORING / "recorded"
REPLAY_SECONDS = 15
BEFORE = 4  # samples
LEAST_BUCKET = 0.1  # seconds


@dataclasses.dataclass(frozen=True)
class Scenario:
    """break_it(stack) is a context in which the fault holds; fires: the alerts to expect, all of them."""
    what: str
    break_it: typing.Callable
    fires: tuple
    samples: int = 24
    every: float = 1.0
    standby: bool = False  # with a second relay
    settings: dict = dataclasses.field(default_factory=dict)  # of the stack


@contextlib.contextmanager
def nothing(_stack):
    yield


SCENARIOS = {
    "health": Scenario("People sign up and in; nothing is wrong.", nothing, ()),
    "kafka_away": Scenario(
        "Kafka is killed.", faults.killed("kafka"), ("CountersignRelayBehind", "CountersignRelayStandsStill"), 30, 2.0),
    "event_held": Scenario(
        "An event of a topic that does not exist is committed, and the relay may park none.", faults.event_without_topic,
        ("CountersignRelayBehind", "CountersignRelayStandsStill"), 30, 2.0, settings={"relay": {"on_refusal": "hold"}}),
    "key_parked": Scenario(
        "An event of a topic that does not exist is committed, and its key is parked.", faults.event_without_topic,
        ("CountersignKeysParked",), 30, 2.0),
    "relay_killed": Scenario(
        "The only relay is killed.", faults.killed("relay"),
        ("CountersignNoRelayLeads", "CountersignProcessDown", "CountersignServiceDown")),
    "relay_without_kafka": Scenario(
        "Kafka and the relay are killed, the relay comes back.", faults.relay_without_kafka,
        ("CountersignNoRelayLeads", "CountersignRelayReconnects")),
    "leader_killed": Scenario(
        "The relay that leads is killed, another takes over.", faults.killed("relay"), ("CountersignProcessDown",), standby=True),
    "slot_falls_behind": Scenario(
        "The relay is paused while others write more WAL than its slot may keep.", faults.slot_behind,
        ("CountersignSlotKeepsWal", "CountersignSlotNearlyLost"), 12, settings=faults.SMALL_SLOT),
    "otp_dies_again_and_again": Scenario(
        "otp is killed and started four times.", faults.restarted("otp", 4), ("CountersignRestarts",)),
    "postgres_away": Scenario(
        "PostgreSQL is killed.", faults.killed("postgres"),
        ("CountersignCallsFail", "CountersignNoDatabaseConnection", "CountersignNoRelayLeads", "CountersignRelayReconnects")),
    "statements_fail": Scenario(
        "auth loses the right to write its event log.", faults.rights_lost, ("CountersignCallsFail", "CountersignStatementsFail")),
    "provider_frozen": Scenario(
        "The provider answers after 15 s.", faults.provider({"operation": "Create*", "latency_ms": 15_000}),
        ("CountersignCodesNotSent", "CountersignProviderSlow"), 30, 1.0),
    "provider_refuses": Scenario(
        "The provider refuses every number.", faults.provider({"operation": "Create*", "status": 400, "code": 21211}),
        ("CountersignCodesNotSent",)),
    "provider_misconfigured": Scenario(
        "The provider refuses otp's credentials.", faults.provider({"status": 401, "code": 20003}),
        ("CountersignCodesWait",), 30, 2.0),
    "unreadable_record": Scenario(
        "A record that is no command comes into topic verification.", faults.unreadable_record, ("CountersignDeadLetters",)),
    "key_ring_unreadable": Scenario(
        "A file of ring person is spoilt.", faults.spoilt_key, ("CountersignKeyRingUnreadable",)),
    "recipient_keys_gone": Scenario(
        "The recipient keys of all days but today are away.", faults.recipient_keys_away, ("CountersignRecipientKeysRunOut",)),
}


def names_of_rules():
    return set().union(*(promtool.metrics_of(rule["expr"]) for rule in promtool.rules().values()))


@contextlib.contextmanager
def standby_of(stack, wanted):
    """The second relay, if there is to be one."""
    if not wanted:
        yield []
        return
    second = SecondRelay(stack)
    second.start()
    try:
        yield [second]
    finally:
        second.stop()


def targets(parts):
    return {part.name: (f"countersign-{part.name.removesuffix('_b')}", part.metrics) for part in parts}


def record(name, scenario):
    with Stack(run_dir=ROOT / ".run" / "record", fresh=True, settings=scenario.settings) as stack, standby_of(stack, scenario.standby) as standby:
        parts = [stack.part("auth"), stack.part("otp"), stack.part("relay"), *standby]
        with faults.people(stack), Recorder(targets(parts), names_of_rules(), scenario.every) as recorder:
            recorder.wait(BEFORE)
            begun = len(recorder)
            with scenario.break_it(stack):
                ended = recorder.wait(scenario.samples)
        series = recorder.series()
    file = RECORDED / f"{name}.yaml"
    file.write_text("".join(lines(name, scenario, series, begun, ended)))
    print(f"{file.relative_to(ROOT)}: {len(series)} series, {ended} samples", flush=True)


def lines(name, scenario, series, begun, ended):
    yield f"# {scenario.what}\n"
    yield f"# Recorded by `python -m tests.chaos.record {name}`: "
    yield f"a sample every {scenario.every:g} s, replayed as if it were {REPLAY_SECONDS} s.\n"
    yield f"rule_files: [../alerts.yaml]\nevaluation_interval: {REPLAY_SECONDS}s\n"
    yield f"tests:\n  - interval: {REPLAY_SECONDS}s\n    input_series:\n"
    for series_name, values in series.items():
        values = values[:ended]
        if worth_keeping(series_name, values):
            yield f"      - {{series: '{series_name}', values: '{run_length(values)}'}}\n"
    yield "    promql_expr_test:\n"
    yield from expectation((begun - 1) * REPLAY_SECONDS, ())
    yield from expectation((ended - 1) * REPLAY_SECONDS, scenario.fires)


def worth_keeping(name, values):
    """Not the buckets far below what any rule asks for, and not those of calls that nobody made."""
    edge = re.search(r'_bucket{.*le="([^"]+)"', name)
    return edge is None or float(edge[1]) >= LEAST_BUCKET and len(set(values)) > 1


def expectation(second, fires):
    yield f"      - expr: max by (alertname) (ALERTS{{alertstate=\"firing\"}})\n        eval_time: {second}s\n"
    if not fires:
        yield "        exp_samples: []\n"
        return
    yield "        exp_samples:\n"
    for alert in sorted(fires):
        yield f"          - {{labels: '{{alertname=\"{alert}\"}}', value: 1}}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    chosen = parser.parse_args().scenarios or list(SCENARIOS)
    if unknown := set(chosen) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    RECORDED.mkdir(exist_ok=True)
    for name in chosen:
        record(name, SCENARIOS[name])


if __name__ == "__main__":
    main()
