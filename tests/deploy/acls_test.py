"""deploy/kafka-acls.yaml on a broker that refuses what is not granted: with just these rules the real processes do their
work, and every principal is refused everything that it has no rule for."""
import os
import re
import secrets
import shlex
import subprocess
import sys

import pytest
import yaml
from confluent_kafka import Consumer, Producer

from deploy.dev.provision import STEPS
from deploy.dev.secret_store import write_private
from deploy.dev.stack import ROOT, Stack
from tests.support import kafka_attempts as attempts
from tests.support.api import Auth
from tests.support.observe import code_on_phone, headers_of, query, raw_records, wait_for
from tests.support.secure_kafka import AUTHORIZE, Rules, binding, bindings, declared, listen_securely

DECLARED = declared()
TOPICS = [topic["name"] for topic in yaml.safe_load((ROOT / "deploy/topics.yaml").read_text())["topics"]]
GROUPS = sorted({name.replace("*", "-one") for kinds in DECLARED.values() for name in kinds.get("groups", {})} - {"countersign-no-group"})
CHECKPOINTS = "countersign.relay.checkpoints"
NOBODY = "nobody"     # known to the broker, and without a rule
EVERYBODY = [*DECLARED, NOBODY]
REFUSED = {kind: f"{kind}_AUTHORIZATION_FAILED" for kind in ("TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID")}


def who_may(operation, topic):
    return {name for name, kinds in DECLARED.items() if operation in kinds.get("topics", {}).get(topic, ())}


# What the file must say.
def test_no_more_is_granted_than_the_processes_are_for():
    for topic in TOPICS:
        assert who_may("create", topic) == who_may("alter_configs", topic) == {"operator"}
    assert who_may("write", "verification") == {"relay", "operator"}, "otp sends what it reads there to people"
    assert who_may("read", "verification") == {"relay", "otp", "operator"}
    assert who_may("read", CHECKPOINTS) == {"relay", "operator", "keeper"}
    assert who_may("write", CHECKPOINTS) == {"relay", "operator"}
    for reader in ("keeper", "analytics", "verifier"):
        assert {operation for operations in DECLARED[reader]["topics"].values() for operation in operations} == {"read"}
    granted = {operation for kinds in DECLARED.values() for names in kinds.values() for operations in names.values() for operation in operations}
    assert granted <= {"read", "write", "create", "describe", "describe_configs", "alter_configs"}, "nobody deletes"


def test_it_is_about_the_declared_topics():
    assert set(DECLARED["operator"]["topics"]) == set(TOPICS)
    assert {topic for kinds in DECLARED.values() for topic in kinds["topics"]} <= set(TOPICS)


def test_the_page_for_administrators_grants_just_that():
    done = subprocess.run([sys.executable, "-m", "tools.docs.acls", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    text = (ROOT / "docs/kafka-acls.md").read_text().replace("\\\n", " ")
    granted = []
    for line in re.findall(r"^kafka-acls\.sh .*$", text, re.M):
        words = shlex.split(line)
        given = {}
        for name, value in zip(words, words[1:]):
            if name.startswith("--") and not value.startswith("--"):
                given.setdefault(name, []).append(value)
        star = "*" if given.get("--resource-pattern-type") == ["prefixed"] else ""
        (principal,) = (user.removeprefix("User:") for user in given["--allow-principal"])
        granted += [binding(principal, f"{kind}s", name + star, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation))
                    for kind in ("topic", "group", "transactional_id") for name in given.get(f"--{kind}".replace("_id", "-id"), ()) for operation in given["--operation"]]
    assert sorted(map(str, granted)) == sorted(map(str, bindings(DECLARED)))


class Cluster:
    """The stack, its servers' addresses, and the credentials of every principal."""

    def __init__(self, stack):
        self.stack = stack
        self.passwords = {name: secrets.token_hex(12) for name in EVERYBODY}
        self.plain = stack.part("kafka").address
        stack.part("kafka").ready_seconds = 120    # it writes its first files and rules then
        self.secure = f"127.0.0.1:{stack.ports.get('kafka_secure')}"
        self.authority = str(stack.tls_dir / "ca.pem")
        self.database = stack.part("postgres").url()

    def as_client(self, name):
        return {"bootstrap.servers": self.secure, "security.protocol": "SASL_SSL", "ssl.ca.location": self.authority,
                "sasl.mechanism": "PLAIN", "sasl.username": name, "sasl.password": self.passwords[name]}

    def password_file(self, name):
        file = self.stack.run_dir / f"{name}.password"
        write_private(file, self.passwords[name])
        return str(file)

    def as_service(self, name):
        """A process of the stack as its principal."""
        part = self.stack.server(name)
        part.settings.update({"kafka.brokers": self.secure, "kafka.tls": True, "kafka.tls_ca": self.authority,
                              "kafka.sasl_mechanism": "PLAIN", "kafka.sasl_username": name})
        part.environment[f"{name.upper()}_KAFKA_SASL_PASSWORD_FILE"] = self.password_file(name)
        return part

    def control(self, name, *words, code=0):
        done = subprocess.run([self.stack.binary("countersignctl"), *words], capture_output=True, text=True, check=False, timeout=120, env={
            **os.environ, "DATABASE_URL": self.database, "KAFKA_BROKERS": self.secure, "KAFKA_TLS": "true", "KAFKA_CA_FILE": self.authority,
            "KAFKA_MECHANISM": "PLAIN", "KAFKA_USER": name, "KAFKA_PASSWORD_FILE": self.password_file(name)})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def cluster():
    stack = Stack(ROOT / ".run" / "deploy" / "acls", ("postgres", "kafka", "twilio"))
    stack.remove_data()
    STEPS["certificates"](stack).run()
    made = Cluster(stack)
    (stack.run_dir / "kafka").mkdir()
    listen_securely(stack.part("kafka"), stack.tls_dir, stack.ports.get("kafka_secure"), made.passwords, **AUTHORIZE)
    with stack:
        for name in ("migrations", "keys"):
            STEPS[name](stack).run()
        rules = Rules(made.plain)
        rules.grant(*bindings(DECLARED))
        assert rules.present() == set(bindings(DECLARED)), "exactly what the file says"
        assert len(made.control("operator", "topics", "apply").splitlines()) == len(TOPICS)
        yield made
    stack.remove()


@pytest.fixture(scope="module")
def running(cluster):
    """relay, otp and auth, the first two as their principals."""
    parts = [cluster.as_service("relay"), cluster.as_service("otp"), cluster.stack.server("auth")]
    try:
        for part in parts:
            part.renew_ports()
        for part in parts:
            part.start()
        yield cluster
    finally:
        for part in reversed(parts):
            part.stop()


def sign_up(cluster):
    """Until the code is on the phone: that takes auth, relay and otp."""
    phone = f"+4915{secrets.randbelow(10**9):09}"
    auth = Auth(cluster.stack.server("auth").grpc)
    try:
        auth.SignupWithPhoneNumber(phone_number=phone)
    finally:
        auth.close()
    assert code_on_phone(cluster.stack.part("twilio").url, phone)


def in_kafka(cluster, topic):
    return [headers_of(record).get("ce_type") for record in raw_records(cluster.plain, (topic,))]


# Each principal's own work.
def test_relay_and_otp_bring_a_code_to_the_phone(running):
    sign_up(running)
    wait_for(lambda: "otp.sent" in in_kafka(running, "otp.log"), "otp's event in Kafka")
    assert "user.created" in in_kafka(running, "user.created")


def test_a_killed_relay_reads_where_it_was_and_doubles_nothing(running):
    relay = running.stack.server("relay")
    relay.kill()
    relay.start()
    sign_up(running)
    ids = [headers_of(record)["ce_id"] for record in raw_records(running.plain)]
    assert len(ids) == len(set(ids))


def test_otp_puts_what_it_cannot_read_aside(running):
    producer = Producer({"bootstrap.servers": running.plain})
    producer.produce("verification", b"\xff", key=b"k")
    assert producer.flush(20) == 0
    wait_for(lambda: raw_records(running.plain, ("verification.dlt",)), "the record among the dead letters")
    sign_up(running)


def test_the_operator_looks_verifies_replays_and_tails(running):
    sign_up(running)
    wait_for(lambda: "checkpoint" in running.control("operator", "relay", "status"), "a checkpoint")
    assert running.control("operator", "topics", "diff") == ""
    running.control("operator", "relay", "verify", "--since", "1h")
    assert "user.created" in running.control("operator", "events", "tail", "--topic", "user.created", "--from-beginning", "--to-end")
    running.control("operator", "relay", "replay", "--since", "2020-01-01T00:00:00Z", "--topic", "user.created", "--yes")
    wait_for(lambda: "dropped" in running.control("operator", "log", "drop", "--keep", "400d"), "the logs to be looked after")


def test_the_keeper_finds_out_what_may_be_dropped(running):
    sign_up(running)
    assert "auth: would drop nothing" in running.control("keeper", "log", "drop", "--keep", "400d", "--dry-run")


@pytest.mark.parametrize("name, topic, group", [("analytics", "user.created", "analytics-one"), ("verifier", "auth.revocations", "verifier-one")])
def test_a_reader_reads_as_a_group_of_its_own(running, name, topic, group):
    producer = Producer({"bootstrap.servers": running.plain})
    producer.produce(topic, b"{}", key=b"k", headers={"ce_id": secrets.token_hex(8)})
    assert producer.flush(20) == 0
    consumer = Consumer({**running.as_client(name), "group.id": group, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        wait_for(lambda: (message := consumer.poll(1)) and not message.error(), f"a record of {topic}")
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()


# And nothing else.
def refused(found, names, kind="TOPIC"):
    assert found == {name: REFUSED[kind] for name in names}


def not_granted(name, operation):
    return [topic for topic in TOPICS if name not in who_may(operation, topic)]


@pytest.mark.parametrize("name", EVERYBODY)
@pytest.mark.parametrize("operation", ["write", "read"])
def test_nobody_writes_or_reads_other_topics_than_its_own(cluster, name, operation):
    others = not_granted(name, operation)
    refused(getattr(attempts, operation)(cluster.as_client(name), others), others)


@pytest.mark.parametrize("name", EVERYBODY)
def test_nobody_manages_topics_beyond_its_rules(cluster, name):
    administrator = attempts.Administrator(cluster.as_client(name))
    for operation in ("create", "describe_configs", "alter_configs"):
        others = not_granted(name, operation)
        refused(getattr(administrator, operation)(others) if others else {}, others)
    for operation in ("delete", "alter"):
        refused(getattr(administrator, operation)(TOPICS), TOPICS)
    refused(administrator.create(["of.my.own"]), ["of.my.own"])


@pytest.mark.parametrize("name", EVERYBODY)
def test_nobody_uses_another_ones_group(cluster, name):
    own = [group.rstrip("*") for group in DECLARED.get(name, {}).get("groups", {})]
    others = [group for group in GROUPS if not any(group.startswith(start) for start in own)]
    assert len(others) >= len(GROUPS) - 1
    administrator = attempts.Administrator(cluster.as_client(name))
    refused(administrator.commit(others, "auth.log"), others, "GROUP")
    refused(administrator.delete_groups(GROUPS), GROUPS, "GROUP")


@pytest.mark.parametrize("name", EVERYBODY)
def test_nobody_gives_itself_rights_or_changes_the_cluster(cluster, name):
    administrator = attempts.Administrator(cluster.as_client(name))
    assert administrator.grant_everything(name) == REFUSED["CLUSTER"]
    assert administrator.change_the_broker() == REFUSED["CLUSTER"]
    assert attempts.begin_transactions(cluster.as_client(name), "countersign") == REFUSED["TRANSACTIONAL_ID"]


def test_a_rule_too_many_would_be_noticed(cluster):
    rules = Rules(cluster.plain)
    extra = binding("analytics", "topics", "otp.log", "write")
    rules.grant(extra)
    try:
        found = wait_for(lambda: (fate := attempts.write(cluster.as_client("analytics"), ["otp.log"]))["otp.log"] is None and fate, "the write")
    finally:
        rules.revoke(extra)
    with pytest.raises(AssertionError):
        refused(found, ["otp.log"])


@pytest.mark.parametrize("name, words", [
    ("otp", ("log", "drop", "--keep", "400d")), ("analytics", ("log", "drop", "--keep", "400d")),
    ("keeper", ("topics", "apply")), (NOBODY, ("events", "tail", "--topic", "auth.log", "--to-end"))])
def test_the_command_says_that_it_was_refused(cluster, name, words):
    said = cluster.control(name, *words, code=69)    # EX_UNAVAILABLE, as of a broker that is away
    assert "uthoriz" in said, said
