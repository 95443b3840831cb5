"""The comparison with Debezium, short: that it runs in every profile and what the ledger says, not how fast it is."""
import pytest

from bench import debezium_profiles
from bench import relay_vs_debezium as comparison
from bench import relay_vs_debezium_figures as figures
from deploy.dev.process import Process
from deploy.dev.stack import ROOT, Stack


@pytest.mark.full
def test_I1_I2_I3_debezium_and_our_relay_are_judged_by_the_same_ledger():
    found = {figure.NAME: (values, detail) for figure, values, detail in comparison.measure(comparison.plan_of(["--short"]))}
    assert set(found) == {figure.NAME for figure in figures.ALL}
    for values, detail in found.values():
        assert len(values) == 1 and values[0] > 0
        assert {"deduplicated", "defaults", "tuned", "exactly_once"} <= detail["contenders"].keys()
    for name in ("throughput", "p99", "restart"):
        for contender, counted in found[f"relay_vs_debezium_{name}"][1]["contenders"].items():
            assert counted["events"] > 0 and counted["lost"] == 0 and counted["other_faults"] == 0, (name, contender, counted)
            assert counted["duplicates"] == 0 or (name, contender) in (("restart", "defaults"), ("restart", "tuned")), (name, contender, counted)
    run_dir = ROOT / ".run" / "bench"
    assert not [name for name in (*Stack(run_dir).parts, *(f"debezium_{profile}" for profile in debezium_profiles.NAMES))
                if Process(name, run_dir).running()]
