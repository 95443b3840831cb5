"""A listener with TLS and SASL beside a broker's plain one, and who may do what there."""
import time

import yaml
from confluent_kafka import KafkaException
from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType

from deploy.dev.secret_store import write_private
from deploy.dev.stack import ROOT

ACLS = ROOT / "deploy" / "kafka-acls.yaml"
SECURITY = "org.apache.kafka.common.security"
KINDS = {"topics": ResourceType.TOPIC, "groups": ResourceType.GROUP, "transactional_ids": ResourceType.TRANSACTIONAL_ID}


def listen_securely(kafka, folder, port, users, **settings):
    """One more listener, with TLS and SASL, beside the plain one that tests look through, from the broker's next start
    on. users: name -> password."""
    store = kafka.stack.run_dir / "kafka" / "server.pem"
    write_private(store, (folder / "otp.key").read_text() + (folder / "otp.pem").read_text())
    controller = f"CONTROLLER://127.0.0.1:{kafka.stack.ports.get('kafka_controller')}"
    advertised = f"BROKER://{kafka.address},SECURE://127.0.0.1:{port}"
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    kafka.settings.update({
        "listeners": f"{advertised},{controller}", "advertised.listeners": advertised,
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
        "listener.name.secure.ssl.keystore.type": "PEM", "listener.name.secure.ssl.keystore.location": store,
        "listener.name.secure.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.secure.plain.sasl.jaas.config": f"{SECURITY}.plain.PlainLoginModule required {known};",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": f"{SECURITY}.scram.ScramLoginModule required;", **settings})


# The plain listener, where nobody has a name, is the administrator's.
AUTHORIZE = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS"}


def declared():
    """principal -> kind -> name -> operations, of deploy/kafka-acls.yaml."""
    return yaml.safe_load(ACLS.read_text())["principals"]


def binding(principal, kind, name, operation):
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    return AclBinding(KINDS[kind], name.rstrip("*"), pattern, f"User:{principal}", "*", AclOperation[operation.upper()],
                      AclPermissionType.ALLOW)


def bindings(principals):
    return [binding(principal, kind, name, operation) for principal, kinds in principals.items() for kind, names in kinds.items()
            for name, operations in names.items() for operation in operations]


class Rules:
    """The access rules of a broker, as its administrator."""

    def __init__(self, brokers):
        self.admin = AdminClient({"bootstrap.servers": brokers})

    def grant(self, *rules):
        for done in self.admin.create_acls(list(rules)).values():
            done.result(30)
        self._await(lambda there: set(rules) <= there)

    def revoke(self, *rules):
        filters = [AclBindingFilter(rule.restype, rule.name, rule.resource_pattern_type, rule.principal, rule.host, rule.operation,
                                    rule.permission_type) for rule in rules]
        for done in self.admin.delete_acls(filters).values():
            done.result(30)
        self._await(lambda there: not set(rules) & there)

    def present(self):
        everything = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
        return set(self.admin.describe_acls(everything).result(30))

    def _await(self, condition):
        deadline = time.monotonic() + 30
        while not condition(self.present()):
            if time.monotonic() > deadline:
                raise KafkaException("the access rules are not there after 30 s")
            time.sleep(0.05)
