"""The comparison with Debezium, short: that it runs in every profile and what the ledger says, not how fast it is."""
import signal
import subprocess
import sys

import pytest

from bench import debezium_profiles
from bench import relay_vs_debezium as comparison
from bench import relay_vs_debezium_figures as figures
from deploy.dev.process import Process
from deploy.dev.stack import PARTS, ROOT
from tests.support.observe import wait_for

AT_LEAST_ONCE = ("defaults", "tuned")   # a task that its group gives out anew sends again what it had not stored
WORKERS = tuple(f"debezium_{profile}" for profile in debezium_profiles.NAMES)


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
            assert counted["duplicates"] == 0 or contender in AT_LEAST_ONCE, (name, contender, counted)
    assert not left_running()


@pytest.mark.full
def test_an_interrupt_leaves_nothing_running():
    started = subprocess.Popen([sys.executable, "-m", "bench.relay_vs_debezium", "--short"], cwd=ROOT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        wait_for(lambda: started.poll() is not None or set(WORKERS) <= set(left_running()), "the workers", 180)
        started.send_signal(signal.SIGINT)
        said = started.communicate(timeout=120)[1]
    finally:
        started.kill()
    assert (started.returncode, said.strip()) == (130, "bench-debezium: interrupted; everything is stopped")
    assert not left_running()


def left_running():
    return [name for name in (*PARTS, *WORKERS) if Process(name, ROOT / ".run" / "bench").running()]
