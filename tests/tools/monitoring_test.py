"""The alerts fire when they should and only then, name what exists, and say where to read on."""
import json
import pathlib
import re
import shutil
import socketserver
import subprocess
import sys
import threading

import pytest
import yaml

from tests.support import promtool
from tests.support.promtool import ROOT, metrics_of
from tests.support.recorder import Recorder, parse, run_length

OPERATIONS = ROOT / "docs" / "operations.md"
REGISTERED = re.compile(r'\bAdd(Counter|GaugeFunction|Gauge|Histogram)\(\s*"([a-z_]+)"')
OF_PROMETHEUS = {"up"}
ALERTS = promtool.rules()


def outcomes(file):
    """(alert, whether it fires, the file), for each expectation."""
    for test in yaml.safe_load(file.read_text())["tests"]:
        for one in test.get("alert_rule_test", ()):
            yield one["alertname"], bool(one["exp_alerts"]), file
        for one in test.get("promql_expr_test", ()):
            # In recorded/: all alerts that fire, so the others are silent.
            firing = {re.search(r'alertname="(\w+)"', sample["labels"])[1] for sample in one["exp_samples"]}
            yield from ((alert, alert in firing, file) for alert in ALERTS)


def shown(files, firing):
    """alert -> the first file that shows it fire, or be silent."""
    found = {}
    for file in files:
        for alert, fires, where in outcomes(file):
            if fires == firing:
                found.setdefault(alert, where)
    return found


def anchors(page):
    """The anchors that a Markdown page's headings get."""
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", page, re.M)}


def without_runbook(alerts, page):
    known = {f"docs/operations.md#{anchor}" for anchor in anchors(page)}
    named = {alert for alert in alerts if f"`{alert}`" in page}
    return {alert for alert, rule in alerts.items() if rule["annotations"].get("runbook") not in known or alert not in named}


def registered():
    """What the sources export: histograms by the names of their series."""
    names = set()
    for folder in ("libs", "services"):
        for source in (*(ROOT / folder).rglob("*.cc"), *(ROOT / folder).rglob("*.h")):
            for kind, name in REGISTERED.findall(source.read_text()):
                names |= {f"{name}_{end}" for end in ("bucket", "sum", "count")} if kind == "Histogram" else {name}
    return names


def unknown_metrics(queries):
    return set().union(*map(metrics_of, queries)) - registered() - OF_PROMETHEUS


def test_promtool_finds_the_rules_and_the_example_well_formed():
    for words in (("rules", promtool.ALERTS), ("config", promtool.MONITORING / "prometheus.yaml")):
        code, said = promtool.promtool("check", *words)
        assert code == 0, said


def test_each_alert_fires_and_is_silent_where_the_series_say_so():
    code, said = promtool.promtool("test", "rules", *promtool.rule_tests())
    assert code == 0, said


def test_each_alert_has_a_series_on_which_it_fires_and_one_on_which_it_is_silent():
    files = promtool.rule_tests()
    assert set(shown(files, True)) == set(ALERTS)
    assert set(shown(files, False)) == set(ALERTS)
    assert set(shown([promtool.MONITORING / "recorded" / "health.yaml"], False)) == set(ALERTS), "all are silent in health"


def test_an_alert_that_no_series_shows_firing_is_found():
    only_health = [promtool.MONITORING / "recorded" / "health.yaml"]
    assert shown(only_health, True) == {}
    assert "CountersignTwoRelaysLead" not in shown([promtool.MONITORING / "recorded" / "kafka_away.yaml"], True)


def with_expression(tmp_path, alert, expression):
    """A copy of everything in which one alert has another expression."""
    shutil.copytree(promtool.MONITORING, tmp_path / "monitoring")
    file = tmp_path / "monitoring" / "alerts.yaml"
    content = yaml.safe_load(file.read_text())
    (rule,) = [rule for group in content["groups"] for rule in group["rules"] if rule["alert"] == alert]
    rule["expr"] = expression
    file.write_text(yaml.safe_dump(content))
    return tmp_path / "monitoring"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_never_fires_is_found(tmp_path, alert):
    where = shown(promtool.rule_tests(), True)[alert]
    folder = with_expression(tmp_path, alert, "vector(0) > 1")
    code, said = promtool.promtool("test", "rules", folder / where.relative_to(promtool.MONITORING))
    assert code == 1 and alert in said, said


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_fires_in_health_is_found(tmp_path, alert):
    folder = with_expression(tmp_path, alert, f"({ALERTS[alert]['expr']}) or vector(1)")
    file = folder / "alerts.yaml"
    file.write_text(re.sub(r"for: \w+", "for: 0s", file.read_text()))
    code, said = promtool.promtool("test", "rules", folder / "recorded" / "health.yaml")
    assert code == 1 and alert in said, said


def test_every_alert_says_how_bad_it_is_what_it_saw_and_where_to_read_on():
    for alert, rule in ALERTS.items():
        assert rule["labels"]["severity"] in ("critical", "warning"), alert
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, alert
    assert without_runbook(ALERTS, OPERATIONS.read_text()) == set()


@pytest.mark.parametrize("heading", sorted({rule["annotations"]["runbook"].partition("#")[2] for rule in ALERTS.values()}))
def test_an_alert_whose_section_is_gone_is_found(heading):
    lines = OPERATIONS.read_text().splitlines()
    page = "\n".join(line for line in lines if not (line.startswith("#") and anchors(line) == {heading}))
    assert without_runbook(ALERTS, page)


def test_an_alert_that_its_section_does_not_speak_of_is_found():
    assert without_runbook(ALERTS, OPERATIONS.read_text().replace("`CountersignDeadLetters`", "")) == {"CountersignDeadLetters"}


def test_every_metric_of_alerts_and_dashboard_is_registered_in_the_sources():
    assert unknown_metrics(rule["expr"] for rule in ALERTS.values()) == set()
    assert unknown_metrics(promtool.dashboard_queries()) == set()


@pytest.mark.parametrize("query, unknown", [
    ("max by (job) (relay_lag_second) > 10", {"relay_lag_second"}),
    ('sum by (job, rpc) (rate(rpc_requests_totals{code="OK"}[5m])) / on (job) group_left (rpc) up', {"rpc_requests_totals"}),
    ("rate(relay_events_total_bucket[5m]) or rpc_seconds", {"relay_events_total_bucket", "rpc_seconds"}),
    ('absent(otp_gone{job="a_metric"} offset 5m) unless ignoring (outcome) otp_consumer_lag_seconds * 1024', {"otp_gone"}),
])
def test_a_metric_that_nobody_exports_is_found(query, unknown):
    assert unknown_metrics([query]) == unknown


def without_a_panel(queries):
    """Of the relay's metrics; a histogram is shown by any of its series."""
    def base(name):
        return re.sub(r"_(bucket|sum|count)$", "", name)
    relays = {base(name) for name in registered() if name.startswith("relay_")}
    return relays - {base(name) for query in queries for name in metrics_of(query)}


def test_every_metric_of_the_relay_has_a_panel():
    queries = promtool.dashboard_queries()
    assert without_a_panel(queries) == set()
    assert without_a_panel(query for query in queries if "relay_paused" not in query) == {"relay_paused"}, "one without is found"


def test_the_dashboard_is_what_its_table_says():
    done = subprocess.run([sys.executable, "-m", "tools.docs.dashboard", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_its_rows_ids_of_its_own_and_no_data_source_of_ours():
    board = json.loads(promtool.DASHBOARD.read_text())
    assert board["title"] == "Countersign"
    assert [panel["title"] for panel in board["panels"] if panel["type"] == "row"] == ["Promise", "Relay", "Sign-in", "Codes", "Database"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    (source,) = [one["name"] for one in board["templating"]["list"] if one["type"] == "datasource"]
    assert set(re.findall(r'"uid": "([^"]*)"', promtool.DASHBOARD.read_text())) == {board["uid"], f"${{{source}}}"}


def test_the_queries_of_the_dashboard_are_promql(tmp_path):
    queries = [query.replace("$__rate_interval", "5m") for query in promtool.dashboard_queries()]
    file = pathlib.Path(tmp_path) / "queries.yaml"

    def check(expressions):
        file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": [
            {"record": f"query_{number}", "expr": expression} for number, expression in enumerate(expressions)]}]}))
        return promtool.promtool("check", "rules", file)

    code, said = check(queries)
    assert code == 0, said
    assert check([*queries, "sum(rate(up)"])[0] != 0


def test_the_recorder_reads_the_text_format_and_writes_promtools():
    page = '# HELP up Help\n# TYPE up gauge\nup 1\nrpc_seconds_bucket{rpc="A",le="+Inf"} 3\n'
    assert parse(page) == {("up", ""): "1", ("rpc_seconds_bucket", 'rpc="A",le="+Inf"'): "3"}
    assert run_length(["_", "_", "1", "1", "1", "2", "stale", "_"]) == "_x1 1x2 2 stale _"
    assert run_length(["Nan", "Nan", "7", "7", "Nan"]) == "NaN NaN 7x1 NaN"


class Page(socketserver.StreamRequestHandler):
    """A process with one counter."""

    def handle(self):
        self.rfile.readline()
        self.wfile.write(b'HTTP/1.0 200 OK\r\n\r\nrelay_events_total{topic="a"} 7\nother 1\n')


def test_the_recorder_keeps_what_prometheus_would_and_ends_the_series_of_one_that_is_gone():
    with socketserver.TCPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        target = {"r": ("relay", f"127.0.0.1:{server.server_address[1]}")}
        with Recorder(target, {"relay_events_total"}, every=0.2) as recorder:
            seen = recorder.wait(3)
            server.shutdown()
            server.server_close()
            recorder.wait(3)
    series = recorder.series()
    assert set(series) == {'up{instance="r",job="relay"}', 'relay_events_total{instance="r",job="relay",topic="a"}'}
    events, up = (series[name] for name in sorted(series))
    gone = up.index("0")
    assert gone >= seen and up == ["1"] * gone + ["0"] * (len(up) - gone)
    assert events == ["7"] * gone + ["stale"] + ["_"] * (len(up) - gone - 1)
