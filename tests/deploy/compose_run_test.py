"""What deploy/compose.yaml describes works: the real processes with its users, volumes, certificates and addresses,
confined as it says, but for the images, which are stood in for by this machine's programs."""
import os
import stat
import subprocess

import pytest

from tests.support.compose import load
from tests.support.container import Containers, possible
from tests.support.host import install
from tests.support.observe import wait_for

PROCESSES = ("relay-1", "relay-2", "otp", "auth")
CALL = ["call", "SignupWithPhoneNumber", '{"phoneNumber": "+4915112345678"}', "--tls", "--identity", ""]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    if not possible():
        pytest.skip("needs root and namespaces")
    base = tmp_path_factory.mktemp("compose")
    prefix = install(base / "prefix")
    prefix.chmod(0o755)
    services = load({"COUNTERSIGN_VERSION": "0.0.0"})["services"]
    # All are on one network here, so the ports of one must not be another's.
    services["relay-2"]["environment"] = {**services["relay-2"]["environment"], "RELAY_METRICS_LISTEN": "0.0.0.0:9467", "HEALTH_PORT": "9467"}
    made = Containers(base / "run", prefix, services)
    try:
        for name in PROCESSES:
            made.up(name)
        for name in PROCESSES:
            made.wait_healthy(name)
        yield made
    finally:
        made.close()


def control(stack, *words, code=0):
    return stack.run("ctl", "countersignctl", *words, code=code)


def test_a_sign_up_travels_through_it(stack):
    assert "verificationId" in control(stack, *CALL)
    tail = stack.spawn("ctl", "countersignctl", "events", "tail", "--topic", "user.created", "--from-beginning")
    try:
        assert "user.created" in tail.stdout.readline()
    finally:
        tail.kill()
        tail.communicate()
    wait_for(lambda: "otp.sent" in log_of_codes(stack).split(), "the code to be handed to the provider")


def log_of_codes(stack):
    return stack.run("roles", "bash", "-ec", f"""PGPASSWORD=$(cat /run/countersign/owner.password) psql -Atc
        "SELECT type FROM otp.event_log" "{OWNER}" """.replace("\n", " "))


OWNER = "host=postgres dbname=countersign user=countersign_owner sslmode=verify-full sslrootcert=/run/countersign/ca.pem"


def test_the_operators_command_sees_database_and_relay(stack):
    assert control(stack, "migrate", "status").count("applied") >= 2
    assert control(stack, "topics", "diff") == ""
    control(stack, "outbox", "status")


def test_one_relay_leads_and_one_stands_by(stack):
    page = "exec 3<>/dev/tcp/127.0.0.1/$HEALTH_PORT; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    leads = ["\nrelay_leader 1" in stack.run(name, "bash", "-c", page) for name in ("relay-1", "relay-2")]
    assert sorted(leads) == [False, True]


def test_the_daily_service_looks_after_the_logs(stack):
    control(stack, *CALL[:2], '{"phoneNumber": "+4915112345679"}', *CALL[3:])    # after an event there is a checkpoint
    assert stack.services["log-daily"]["environment"]["LOG_KEEP"] == "400d"
    once = stack.services["log-daily"]["command"][-1].replace("while ", "").partition("; do")[0]
    listed = wait_for(lambda: "dropped 0" in (said := stack.run("log-daily", "bash", "-c", f"{once} || true")) and said, "a checkpoint")
    assert listed == ("auth: made 0 partitions\notp: made 0 partitions\n"
                      "auth: dropped 0 partitions\notp: dropped 0 partitions\n")


def test_the_database_wants_tls_and_gives_no_base_backup(stack):
    url = stack.volume("secrets-relay") / "database_url"
    plain = url.read_text().strip().replace("sslmode=verify-full", "sslmode=disable")
    assert "no pg_hba.conf entry" in stack.run("relay-1", "psql", plain, "-c", "SELECT 1", code=2)
    physical = url.read_text().strip() + " replication=true"
    assert "pg_hba.conf rejects" in stack.run("relay-1", "psql", physical, "-c", "IDENTIFY_SYSTEM", code=2)
    assert "1" in stack.run("relay-1", "psql", url.read_text().strip(), "-Atc", "SELECT 1")


def test_the_broker_wants_a_certificate(stack):
    tls = ["kcat", "-L", "-m", "5", "-b", "kafka:9093", "-X", "security.protocol=ssl", "-X", "ssl.ca.location=/run/countersign/ca.pem"]
    ours = ["-X", "ssl.certificate.location=/run/countersign/tls.pem", "-X", "ssl.key.location=/run/countersign/tls.key"]
    stack.run("relay-1", *tls, code=1)
    assert "auth.log" in stack.run("relay-1", *tls, *ours)


def test_each_sees_its_own_secrets_and_can_write_nothing(stack):
    for place in ("/run/countersign", "/etc/countersign/keys/code", "/usr/local/bin", "/etc"):
        stack.run("otp", "bash", "-c", f"! : 2>/dev/null >{place}/x")
    assert stack.run("otp", "ls", "/etc/countersign/keys").split() == ["code", "recipient"]
    assert "code" not in stack.run("auth", "ls", "/etc/countersign/keys").split()
    shared = {name: stack.volume(f"secrets-{name}") for name in ("auth", "otp", "relay", "operator", "postgres", "kafka")}
    for name, folder in shared.items():
        user = {"postgres": 999, "kafka": 1000}.get(name, 10001)
        for file in folder.iterdir():
            assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_uid) == (0o600, user), file
        assert not (folder / "ca.key").exists()


def test_jobs_can_be_repeated_and_change_nothing(stack):
    before = secrets_of(stack)
    assert [stack.run(name) for name in ("secrets", "migrate", "topics", "keys", "roles")] == [
        "", "nothing to apply\n", "nothing to apply\n", "every ring has a key\nnothing to do\n", ""]
    assert secrets_of(stack) == before


def secrets_of(stack):
    return {file: file.read_bytes() for file in stack.volume("").glob("secrets-*/*")}


def test_certificates_that_run_out_are_made_anew_and_passwords_stay(stack, tmp_path):
    """On copies: the running stack goes on with its own."""
    other = Containers(tmp_path / "run", stack.prefix, stack.services)
    try:
        assert "certificates made" in other.run("secrets")
        before = secrets_of(other)
        authority = other.volume("secrets-operator") / "ca.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "29",
                        "-subj", "/CN=old", "-keyout", tmp_path / "key", "-out", authority], check=True, capture_output=True)
        assert "certificates made" in other.run("secrets")
        after = secrets_of(other)
        changed = {file.name for file in before if before[file] != after[file]}
        assert changed == {"ca.pem", "tls.pem", "tls.key", "keystore.pem"}
    finally:
        other.close()


def test_the_providers_secret_comes_from_a_file_of_the_host(stack, tmp_path):
    secret = tmp_path / "given"
    secret.write_text("of-the-provider")
    secret.chmod(0o600)
    os.chown(secret, 12345, 12345)
    services = load({"TWILIO_API_SECRET_FILE": str(secret)})["services"]
    other = Containers(tmp_path / "run", stack.prefix, services)
    try:
        other.run("secrets")
        kept = other.volume("secrets-otp") / "twilio.api_secret"
        assert kept.read_text() == "of-the-provider"
        other.services = load()["services"]
        other.run("secrets")
        assert kept.read_text() == "of-the-provider", "a start without the variable forgets nothing"
    finally:
        other.close()


def test_each_process_stops_in_time(stack):
    """Last: what it stops stays stopped."""
    assert [stack.stop(name) for name in ("auth", "otp", "relay-1", "relay-2")] == [0, 0, 0, 0]
    assert stack.stop("postgres") == 0
    assert stack.stop("kafka") in (0, 143), "java ends with 128 + SIGTERM"
