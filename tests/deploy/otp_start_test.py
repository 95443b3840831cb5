"""Wrong or missing credentials stop otp at its start, with a message, not at the first person's code."""
import os
import re
import signal
import subprocess

import pytest

from deploy.dev.configuration import yaml_text
from deploy.dev.stack import ROOT
from tests.support.observe import get_json, wait_for
from tests.support.starting import refusal

BINARY = ROOT / "build/release/bin/countersign-otp"


@pytest.fixture
def start(provisioned):
    """Starts otp with changes to the stack's configuration and secrets; nothing of it is left."""
    started = []

    def run(keys=None, secrets=None):
        part = provisioned.server("otp")
        file = provisioned.run_dir / "otp-start.yaml"
        file.write_text(yaml_text({**part.keys(), "metrics.listen": "127.0.0.1:0", "grpc.listen": "127.0.0.1:0", **(keys or {})}))
        environment = {**os.environ, **{name: str(path) for name, path in part.secret_files().items()}}
        for name, text in (secrets or {}).items():
            path = provisioned.run_dir / f"secret-{name}"
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(text)
            environment[f"{name}_FILE"] = str(path)
        started.append(subprocess.Popen([BINARY, "--config", file], text=True, env=environment, stderr=subprocess.PIPE))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("provider", ["twilio-verify", "twilio-messaging"])
def test_a_wrong_secret_stops_the_start_and_is_not_shown(start, provisioned, provider):
    said = refusal(start({"provider": provider}, {"OTP_TWILIO_API_SECRET": "wrong-but-secret"}))
    assert "twilio.api_secret" in said
    assert "wrong-but-secret" not in said
    assert get_json(f"{provisioned.part('twilio').url}/_fake/ledger")["total"] == 0, "nothing was sent to find out"


def test_a_missing_account_stops_the_start(start):
    assert "twilio.account_sid" in refusal(start({"twilio.account_sid": ""}))


def test_two_purposes_on_one_verify_service_stop_the_start(start):
    one = {"signup": "VA00000000000000000000000000000001", "login": "VA00000000000000000000000000000001"}
    assert "twilio.verify_services" in refusal(start({"provider": "twilio-verify", "twilio.verify_services": one}))


def test_the_role_of_another_service_stops_the_start(start, provisioned):
    said = refusal(start(secrets={"OTP_DATABASE_URL": provisioned.server("postgres").url("countersign_auth")}))
    assert "countersign_otp" in said


def test_a_listener_without_mutual_tls_stops_the_start(start):
    assert "mutual TLS" in refusal(start({"grpc.tls.client_ca": ""}))


def test_a_provider_that_is_merely_away_does_not(start):
    process = start({"twilio.verify_url": "http://127.0.0.1:9", "twilio.api_url": "http://127.0.0.1:9"})
    lines = []
    wait_for(lambda: lines.append(process.stderr.readline()) or '"msg":"ready"' in lines[-1], "the process to serve", 20)
    assert any("the provider does not answer yet" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=15)
    assert process.returncode == 0, said
    assert not re.search(r"password|secret", said)
