"""The servers as they are off one machine: PostgreSQL with verify-full, Kafka with SASL and TLS. What is
right connects; a wrong password, name or authority ends the start and says so."""
import ctypes
import os
import shutil
import signal
import subprocess

import pytest
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from deploy.dev import tls
from deploy.dev.configuration import yaml_text
from deploy.dev.provision import STEPS
from deploy.dev.secret_store import write_private
from deploy.dev.stack import ROOT, Stack
from tests.support.observe import headers_of, query, raw_records, wait_for
from tests.support.secure_kafka import listen_securely
from tests.support.starting import refusal

BIN = ROOT / "build/release/bin"
EXIT_UNAVAILABLE = 69
USER, PASSWORD = "countersign", "right-and-secret"


def serve_tls(postgres, folder):
    """The certificate of `folder`, where the server's user can read it."""
    for end in ("pem", "key"):
        file = shutil.copy(folder / f"otp.{end}", postgres.data / f"server.{end}")
        os.chmod(file, 0o600)
        if postgres.user:
            shutil.chown(file, postgres.user)
    postgres.settings.update({"ssl": "on", "ssl_cert_file": "server.pem", "ssl_key_file": "server.key"})
    postgres.restart()


def make_scram_user(brokers):
    credential = UserScramCredentialUpsertion(USER, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode())
    admin = AdminClient({"bootstrap.servers": brokers})
    for done in admin.alter_user_scram_credentials([credential]).values():
        done.result(20)


class Secure:
    """The two servers, who vouches for them, and somebody else who does not."""

    def __init__(self, stack):
        self.stack = stack
        self.authority = stack.tls_dir / "ca.pem"
        self.stranger = stack.run_dir / "other-tls" / "ca.pem"
        tls.ensure(self.stranger.parent)
        self.brokers = f"127.0.0.1:{stack.ports.get('kafka_secure')}"

    def database(self, role, authority=None, host="127.0.0.1"):
        url = self.stack.part("postgres").url(role).replace("@127.0.0.1", f"@{host}")
        return f"{url}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={authority or self.authority}"


@pytest.fixture(scope="module")
def secure():
    with Stack(ROOT / ".run" / "deploy" / "transport", ("postgres", "kafka"), fresh=True) as stack:
        for step in STEPS.values():
            step(stack).run()
        serve_tls(stack.part("postgres"), stack.tls_dir)
        listen_securely(stack.part("kafka"), stack.tls_dir, stack.ports.get("kafka_secure"), {USER: PASSWORD})
        stack.part("kafka").restart()
        make_scram_user(stack.part("kafka").address)
        yield Secure(stack)
    stack.remove()


@pytest.fixture
def start_relay(secure):
    """Starts the relay over TLS to both, with changes; nothing of it is left."""
    started = []

    def start(keys=None, password=PASSWORD, database=None):
        folder = secure.stack.run_dir
        file, url, secret = folder / "relay.yaml", folder / "relay-url", folder / "relay-password"
        file.write_text(yaml_text({
            "metrics.listen": f"127.0.0.1:{secure.stack.ports.get('relay_metrics')}", "kafka.brokers": secure.brokers,
            "kafka.tls": True, "kafka.tls_ca": str(secure.authority), "kafka.sasl_mechanism": "PLAIN",
            "kafka.sasl_username": USER, **(keys or {})}))
        write_private(url, database or secure.database("countersign_relay"))
        write_private(secret, password)
        environment = {**os.environ, "RELAY_DATABASE_URL_FILE": str(url), "RELAY_KAFKA_SASL_PASSWORD_FILE": str(secret)}
        started.append(subprocess.Popen([BIN / "countersign-relay", "--strict", "--config", file], text=True, env=environment,
                                        stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def expect_to_relay(secure, relay):
    """An event gets from a walsender over TLS into Kafka; then the relay stops gracefully."""
    owner = secure.database("postgres")
    wait_for(lambda: relay.poll() is not None or query(
        owner, "SELECT 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND usename = 'countersign_relay'"
        " AND backend_type = 'walsender'"), "a walsender over TLS")
    assert relay.poll() is None, relay.stderr.read()
    ((event_id,),) = query(owner, "INSERT INTO auth.event_log (event_id, topic, key, type, seq, payload) VALUES"
                           " (gen_random_uuid(), 'auth.log', 'k', 'test.type', 1, '{}') RETURNING event_id::text")
    plain = secure.stack.part("kafka").address
    wait_for(lambda: event_id in [headers_of(m)["ce_id"] for m in raw_records(plain, ("auth.log",))], "the event in Kafka")
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(15) == 0


def test_the_relay_streams_over_verified_tls_to_both(secure, start_relay):
    expect_to_relay(secure, start_relay())


def test_scram_works_or_the_start_says_which_library_it_needs(secure, start_relay):
    relay = start_relay({"kafka.sasl_mechanism": "SCRAM-SHA-512"})
    if ctypes.CDLL("librdkafka.so.1").rd_kafka_version() >= 0x020601ff:
        expect_to_relay(secure, relay)
    else:
        assert "librdkafka 2.6.1" in refusal(relay)


def test_a_wrong_sasl_password_ends_the_start_and_is_not_shown(start_relay):
    said = refusal(start_relay(password="wrong-but-secret"))
    assert "uthentication failed" in said
    assert "wrong-but-secret" not in said


def test_a_broker_of_another_authority_ends_the_start(secure, start_relay):
    assert "certificate verify failed" in refusal(start_relay({"kafka.tls_ca": str(secure.stranger)}))


@pytest.mark.parametrize("change, why", [
    ({"authority": "stranger"}, "certificate verify failed"),
    ({"host": "elsewhere.example"}, "does not match host name"),
])
def test_a_database_of_another_authority_or_name_ends_the_start(secure, start_relay, change, why):
    change = {key: getattr(secure, value, value) for key, value in change.items()}
    assert why in refusal(start_relay(database=secure.database("countersign_relay", **change)))
    told = subprocess.run([BIN / "countersignctl", "migrate", "status"], capture_output=True, text=True, check=False,
                          env={**os.environ, "DATABASE_URL": secure.database("postgres", **change)})
    assert (told.returncode, told.stderr) == (EXIT_UNAVAILABLE, "countersignctl: cannot connect to the database\n")


def test_the_command_works_over_verified_tls(secure):
    subprocess.run([BIN / "countersignctl", "migrate", "status"], check=True, capture_output=True,
                   env={**os.environ, "DATABASE_URL": secure.database("postgres")})
