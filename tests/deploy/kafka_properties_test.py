"""What an operator adds to kafka.properties may not take a promise back: the process says so, by name, and does not
start. tests/libs/kafka/settings_test.cc has all of them."""
import os
import subprocess

import pytest

from deploy.dev.secret_store import write_private
from deploy.dev.stack import ROOT

EXIT_CONFIGURATION = 78
REFUSED = ["acks=1", "acks=0", "enable.idempotence=false", "max.in.flight=6", "max.in.flight.requests.per.connection=6",
           "transactional.id=mine", "message.timeout.ms=1000", "partitioner=random", "queuing.strategy=lifo", "auto.offset.reset=latest",
           "enable.auto.commit=true", "enable.ssl.certificate.verification=false", "bootstrap.servers=elsewhere.example:9092"]
ALLOWED = ["acks=all", "enable.idempotence=true", "max.in.flight=1", "linger.ms=3", "socket.keepalive.enable=true"]


@pytest.fixture
def start(tmp_path):
    """The relay with these properties: really, or only as far as its configuration."""
    secret = tmp_path / "database_url"
    write_private(secret, "host=127.0.0.1 port=9 dbname=none user=nobody")

    def run(properties, *words):
        file = tmp_path / "relay.yaml"
        listed = "".join(f'\n    - "{text}"' for text in properties)
        file.write_text(f"metrics:\n  listen: 127.0.0.1:0\nkafka:\n  brokers: 127.0.0.1:9\n  properties:{listed}\n")
        return subprocess.run([ROOT / "build/release/bin/countersign-relay", "--strict", "--config", file, *words], check=False, text=True,
                              capture_output=True, env={**os.environ, "RELAY_DATABASE_URL_FILE": str(secret)}, timeout=60)

    return run


@pytest.mark.parametrize("text", REFUSED)
def test_a_property_that_breaks_a_promise_ends_the_start(start, text):
    name = text.partition("=")[0]
    for words in ((), ("--check-config",)):
        done = start(["linger.ms=3", text], *words)
        assert done.returncode == EXIT_CONFIGURATION, done.stderr
        assert f"kafka.properties: {name} " in done.stderr


def test_other_properties_and_values_that_keep_it_are_taken(start):
    done = start(ALLOWED, "--check-config")
    assert done.returncode == 0, done.stderr
