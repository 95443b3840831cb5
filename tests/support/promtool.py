"""Prometheus' own checker, and what the rules, dashboards and its tests say, as far as tests ask."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = MONITORING / "alerts.yaml"
DASHBOARD = MONITORING / "dashboard.json"
WRITTEN = MONITORING / "alerts_test.yaml"

# Words of PromQL that stand where a metric could.
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "inf", "nan"}
CLAUSE = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
METRIC = re.compile(r"(?<![\w.$])([a-zA-Z_:][\w:]*)\b(?!\s*\()")


def program():
    """promtool of `make setup-check`, or one on the path."""
    unpacked = ROOT / ".run" / "toolchain" / "debian" / "usr" / "bin" / "promtool"
    found = str(unpacked) if unpacked.exists() else shutil.which("promtool")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: make setup-check")
        pytest.skip("promtool is missing: make setup-check")
    return found


def promtool(*words):
    """Exit code and everything it said."""
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def rule_tests(folder=MONITORING):
    return [folder / WRITTEN.name, *sorted((folder / "recorded").glob("*.yaml"))]


def rules(file=ALERTS):
    """The alerts by name."""
    return {rule["alert"]: rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]}


def dashboard_queries(file=DASHBOARD):
    """Every query of the dashboard's panels."""
    return [target["expr"] for panel in json.loads(file.read_text())["panels"] for target in panel.get("targets", ())]


def metrics_of(query):
    """The metrics that a PromQL expression names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = CLAUSE.sub(" ", bare)
    return {name for name in METRIC.findall(bare) if name.lower() not in WORDS}
