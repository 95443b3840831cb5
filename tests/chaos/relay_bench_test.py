"""The benchmarks that break relays, for a moment each: that they run and what they promise, not how fast it is."""
import pytest

from bench import frame, relay_failover, relay_restart, relay_rss

TIMED = "_s"


def nothing_wrong(module, detail):
    """Every further bound names a figure, and those that are no times hold."""
    for name, most in module.ALSO_AT_MOST.items():
        found = frame.within(detail, name)
        assert name.endswith(TIMED) or found <= most, (name, detail)


def test_I1_I2_I3_a_relay_that_is_killed_and_started_again_doubles_and_loses_nothing():
    values, detail = relay_restart.run(rounds=1, seconds=1)
    assert len(values) == 1 and values[0] > 0
    assert all(detail[level]["events"] > 500 for level in relay_restart.LEVELS)
    nothing_wrong(relay_restart, detail)


@pytest.mark.full
def test_I1_I2_I3_a_leader_that_is_killed_stops_or_freezes_loses_nothing():
    values, detail = relay_failover.run(rounds=1, seconds=1)
    assert len(values) == 1
    assert set(detail) == {"killed", "stepped_down", "frozen"}
    nothing_wrong(relay_failover, detail)


@pytest.mark.full
def test_the_memory_of_a_relay_is_taken_at_each_of_its_jobs():
    values, detail = relay_rss.run(rounds=1, seconds=1, backlog=1000, huge=2000)
    assert values[0] == pytest.approx(max(detail[what]["peak_mib"] for what in ("live", "draining")), abs=0.001)
    for what in ("live", "draining", "huge", "huge_redone"):
        assert 1 < detail[what]["rss_mib"] <= detail[what]["peak_mib"]
