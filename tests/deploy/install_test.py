"""`make install` gives everything that running it needs, and what is installed finds it."""
import os
import subprocess

import pytest

from deploy.dev.stack import ROOT


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    done = subprocess.run(["cmake", "--install", ROOT / "build/release", "--prefix", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def files_below(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_what_running_it_needs_is_installed_and_nothing_else(prefix):
    migrations = {f"share/countersign/{file.relative_to(ROOT)}" for file in (ROOT / "migrations").rglob("*.sql")}
    assert files_below(prefix) == migrations | {
        "bin/countersign-auth", "bin/countersign-otp", "bin/countersign-relay", "bin/countersignctl",
        "share/countersign/deploy/topics.yaml", "share/countersign/deploy/kafka-acls.yaml",
        "share/countersign/config/environment.example",
        "share/countersign/config/auth.example.yaml", "share/countersign/config/otp.example.yaml",
        "share/countersign/config/relay.example.yaml",
        "share/countersign/monitoring/alerts.yaml", "share/countersign/monitoring/dashboard.json",
        "share/countersign/monitoring/prometheus.yaml", "share/doc/countersign/deploy.md",
        "share/doc/countersign/operations.md", "sbin/countersign-host", "lib/sysusers.d/countersign.conf"} | {
            f"lib/systemd/system/{name}" for name in (
                "countersign-auth.service", "countersign-otp.service", "countersign-relay@.service",
                "countersign-migrate.service", "countersign-keys.service", "countersign-keys.timer",
                "countersign-log.service", "countersign-log.timer")}


def test_the_units_name_what_was_installed(prefix):
    units = [(prefix / name).read_text() for name in files_below(prefix) if name.startswith("lib/systemd")]
    assert not [text for text in units if "@PREFIX@" in text]
    assert sum(f"ExecStart={prefix}/bin/" in text for text in units) == 6


def control(prefix, tmp_path, *words, **environment):
    return subprocess.run([prefix / "bin/countersignctl", *words], cwd=tmp_path, env={**os.environ, **environment},
                          capture_output=True, text=True, check=False)


def test_the_installed_command_finds_the_installed_migrations_and_topics(prefix, provisioned, tmp_path):
    status = control(prefix, tmp_path, "migrate", "status", DATABASE_URL=provisioned.variables()["DATABASE_URL"])
    assert status.returncode == 0, status.stderr
    assert "0001_event_log" in status.stdout
    diff = control(prefix, tmp_path, "topics", "diff", KAFKA_BROKERS=provisioned.variables()["KAFKA_BROKERS"])
    assert (diff.returncode, diff.stdout) == (0, ""), diff.stderr


@pytest.mark.parametrize("binary", ["countersign-auth", "countersign-otp", "countersign-relay", "countersignctl"])
def test_every_binary_tells_its_version_and_its_options(prefix, binary):
    version = subprocess.run([prefix / "bin" / binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith(f"{binary} {(ROOT / 'VERSION').read_text().strip()} (")
    assert "usage: " in subprocess.run([prefix / "bin" / binary, "--help"], capture_output=True, text=True, check=True).stdout
