"""A real Kafka in KRaft mode on loopback: one node, or several that are brokers and controllers both."""
import pathlib
import shutil
import socket
import struct
import subprocess

from deploy.dev.maven import resolved
from deploy.dev.part import Part
from deploy.dev.process import StackError

ROOT = pathlib.Path(__file__).resolve().parents[2]
POM = ROOT / "deploy/packages/maven/pom.xml"
CLUSTER_ID = "Y291bnRlcnNpZ24tZGV2MA"

PROPERTIES = """\
node.id={node}
process.roles=broker,controller
controller.quorum.voters={voters}
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=1
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=134217728
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
"""

LOGGING = """\
<Configuration status="WARN">
  <Appenders>
    <Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} %p %c{1}: %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""


def jars():
    """The folder of Kafka's jars, fetched by Maven at the first call into the user's cache."""
    return resolved(POM, "kafka")


def answers_as_broker(host, port):
    """A broker answers ApiVersions once it is registered and unfenced, not before."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.settimeout(2)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10)
            return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)
    except OSError:
        return False


def node_name(number):
    return "kafka" if number == 1 else f"kafka_{number}"


class Kafka(Part):
    """One node of the cluster; `kafka` is the first, further ones are called kafka_2, kafka_3 ..."""
    name = "kafka"
    stop_seconds = 30

    def __init__(self, stack, node=1):
        self.node = node
        self.name = node_name(node)
        super().__init__(stack)

    def ports(self):
        return (self.name, f"{self.name}_controller")

    @property
    def address(self):
        """Of the whole cluster."""
        return ",".join(f"127.0.0.1:{self.stack.ports.get(name)}" for name in self._nodes())

    def endpoints(self):
        return {"KAFKA_BROKERS": self.address}

    def prepare(self):
        self.home.mkdir(parents=True, exist_ok=True)
        data, nodes = self.home / "data", self._nodes()
        voters = ",".join(f"{number}@127.0.0.1:{self.stack.ports.get(f'{name}_controller')}"
                          for number, name in enumerate(nodes, 1))
        properties = PROPERTIES.format(
            node=self.node, voters=voters, broker=self.stack.ports.get(self.name),
            controller=self.stack.ports.get(f"{self.name}_controller"), data=data,
            replicas=min(3, len(nodes)), in_sync=2 if len(nodes) > 2 else 1)
        properties += "".join(f"{key}={value}\n" for key, value in self.settings.items())
        (self.home / "server.properties").write_text(properties)
        (self.home / "log4j2.xml").write_text(LOGGING)
        if not (data / "meta.properties").exists():
            shutil.rmtree(data, ignore_errors=True)
            formatted = subprocess.run(
                [*self._java("-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", "--cluster-id",
                 CLUSTER_ID, "--config", self.home / "server.properties"], capture_output=True, text=True, check=False)
            if formatted.returncode != 0:
                raise StackError(f"{self.name}: format failed:\n{formatted.stdout}{formatted.stderr}")

    def command(self):
        return [*self._java("-Xms256m", "-Xmx512m"), "kafka.Kafka", self.home / "server.properties"]

    def serves(self):
        return answers_as_broker("127.0.0.1", self.stack.ports.get(self.name))

    @property
    def home(self):
        return self.stack.run_dir / self.name

    def _nodes(self):
        return [node_name(number) for number in range(1, self.stack.brokers + 1)]

    def _java(self, *options):
        java = shutil.which("java")
        if not java:
            raise StackError("kafka: no java is installed; `make setup` does that")
        return [java, *options, "-Xshare:auto", "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self.home / 'log4j2.xml'}", "-cp", f"{jars()}/*"]
