"""Every metric that an alert or the dashboard names is exported by the processes as they run."""
import pytest

from tests.support import promtool
from tests.support.recorder import page_of, parse

OF_PROMETHEUS = {"up"}
# It has no series until something goes wrong; tests/tools/monitoring_test.py finds it in the sources.
AFTER_A_FAULT = {"relay_reconnects_total"}


@pytest.fixture
def exported(member, env):
    assert member.tokens, "one person has signed up through all processes"
    names = set()
    for page in ("AUTH_METRICS", "OTP_METRICS", "RELAY_METRICS"):
        names |= {name for name, _ in parse(page_of(env[page].removeprefix("http://"), timeout=10))}
    return names


def missing(queries, exported):
    return set().union(*map(promtool.metrics_of, queries)) - exported - OF_PROMETHEUS - AFTER_A_FAULT


def test_every_metric_of_the_alerts_is_exported(exported):
    queries = [rule["expr"] for rule in promtool.rules().values()]
    assert missing(queries, exported) == set()
    assert missing([*queries, "rate(relay_event_total[5m]) > 1"], exported) == {"relay_event_total"}, "a wrong name is found"


def test_every_metric_of_the_dashboard_is_exported(exported):
    queries = promtool.dashboard_queries()
    assert missing(queries, exported) == set()
    assert missing(queries, exported - {"relay_leader"}) == {"relay_leader"}, "one that is no longer exported is found"
