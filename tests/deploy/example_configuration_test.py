"""Each process starts from its example, and the example names every key there is."""
import itertools
import json
import os
import re
import signal
import subprocess
import urllib.request

import pytest

from deploy.dev.stack import ROOT
from tests.support.observe import wait_for

BIN = ROOT / "build/release/bin"
SERVICES = ("auth", "otp", "relay")
# What the examples cannot know: the only provider that tests may talk to.
FAKE = {"OTP_TWILIO_ALLOW_INSECURE_URLS": "true", "OTP_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000001",
        "OTP_TWILIO_VERIFY_SERVICES_SIGNUP": "VA00000000000000000000000000000001",
        "OTP_TWILIO_VERIFY_SERVICES_LOGIN": "VA00000000000000000000000000000002"}


def example(service):
    return (ROOT / f"deploy/config/{service}.example.yaml").read_text()


def environment_example():
    return (ROOT / ".env.example").read_text()


def keys_of(service):
    out = subprocess.run([BIN / f"countersign-{service}", "--print-config-keys"], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


def keys_in(text):
    """Dotted names of the leaves; enough of YAML for mappings, scalars and lists on one line."""
    sections, found = [], set()
    for line in text.splitlines():
        match = re.match(r"( *)([a-z_]+):\s*(.*)", line)
        if not match:
            assert not line.strip() or line.strip().startswith("#"), f"not understood: {line}"
            continue
        depth, name, value = len(match[1]) // 2, match[2], re.sub(r"(^|\s)#.*", "", match[3])
        sections[depth:] = [name]
        if value:
            found.add(".".join(sections))
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_the_example_has_every_key_and_no_other(service):
    assert keys_in(example(service)) == {key["key"] for key in keys_of(service) if key["type"] != "secret"}


@pytest.mark.parametrize("service", SERVICES)
def test_help_texts_are_sentences(service):
    # --help goes on behind them: "... Required.", "... At least 1MiB."
    unended = [key["key"] for key in keys_of(service) if not key["help"].endswith(".")]
    assert not unended


def test_the_environment_example_has_every_secret_and_no_other():
    wanted = {f"{key['env']}_FILE" for service in SERVICES for key in keys_of(service) if key["type"] == "secret"}
    assert set(re.findall(r"^#?([A-Z_]+_FILE)=", environment_example(), re.M)) == wanted


def rehomed(text, stack):
    """The text with this machine's folders and addresses."""
    moved = {"127.0.0.1:9092": stack.part("kafka").address}
    numbers = itertools.count()

    def address(match):
        return moved.setdefault(match[0], f"127.0.0.1:{stack.ports.get(f'example-{next(numbers)}')}")

    return re.sub(r"127\.0\.0\.1:\d+", address, text.replace("/etc/countersign", str(stack.run_dir)))


def healthy(metrics):
    try:
        with urllib.request.urlopen(f"http://{metrics}/healthz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.mark.parametrize("service", SERVICES)
def test_each_process_starts_from_its_example_configuration(provisioned, service):
    settings = rehomed(example(service), provisioned)
    file = provisioned.run_dir / f"{service}.example.yaml"
    file.write_text(settings)
    variables = dict(re.findall(r"^([A-Z_]+)=(.*)$", rehomed(environment_example(), provisioned), re.M))
    fake = {**FAKE, "OTP_TWILIO_VERIFY_URL": provisioned.part("twilio").url, "OTP_TWILIO_API_URL": provisioned.part("twilio").url}
    process = subprocess.Popen([BIN / f"countersign-{service}", "--strict", "--config", file], text=True,
                               env={**os.environ, **variables, **fake}, stderr=subprocess.PIPE)
    try:
        metrics = re.search(r"metrics:\n +listen: (\S+)", settings)[1]
        wait_for(lambda: healthy(metrics) or process.poll() is not None, f"{service} to serve", 30)
        assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=15)
        assert process.returncode == 0, said
        assert "warning" not in said, said
    finally:
        process.kill()
        process.communicate()


def test_an_unknown_key_in_an_example_would_be_noticed(provisioned):
    file = provisioned.run_dir / "wrong.yaml"
    file.write_text(example("relay") + "no_such_key: 1\n")
    checked = subprocess.run([BIN / "countersign-relay", "--config", file, "--check-config"], capture_output=True, text=True, check=False)
    assert checked.returncode == 78
    assert "no_such_key: no such key" in checked.stderr


@pytest.mark.parametrize("wrong,why", [
    ({"delivery": "at_least_once"}, "needs delivery: deduplicated"),
    ({"delivery": "transactional"}, "its batches are no transactions"),
    ({"tables": "[]"}, "needs the names of the tables"),
    ({"tables": "[event_log]"}, "each is named schema.table"),
    ({"wait_for_standbys": "[standby]"}, "wait_for_standbys needs source: wal"),
])
def test_the_table_source_is_refused_without_what_it_needs(provisioned, wrong, why):
    refused(provisioned, {"source": "table", **wrong}, why)


def test_transactions_are_refused_that_end_while_a_missing_topic_is_waited_for(provisioned):
    refused(provisioned, {"delivery": "transactional", "park_after": "31s"}, "at most half of transaction_timeout")


def refused(provisioned, wrong, why):
    settings = example("relay")
    for key, value in wrong.items():
        settings, changed = re.subn(rf"^{key}: .*$", f"{key}: {value}", settings, flags=re.M)
        assert changed == 1
    file = provisioned.run_dir / "refused.yaml"
    file.write_text(settings)
    checked = subprocess.run([BIN / "countersign-relay", "--config", file, "--check-config"], capture_output=True, text=True, check=False)
    assert checked.returncode == 78
    assert why in checked.stderr
