"""A real single-node Kafka in KRaft mode on loopback."""
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
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
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


class Kafka(Part):
    name = "kafka"
    stop_seconds = 30

    def ports(self):
        return ("kafka", "kafka_controller")

    @property
    def address(self):
        return f"127.0.0.1:{self.stack.ports.get('kafka')}"

    def endpoints(self):
        return {"KAFKA_BROKERS": self.address}

    def prepare(self):
        home = self.stack.run_dir / "kafka"
        home.mkdir(parents=True, exist_ok=True)
        data = home / "data"
        properties = PROPERTIES.format(
            broker=self.stack.ports.get("kafka"), controller=self.stack.ports.get("kafka_controller"), data=data)
        properties += "".join(f"{key}={value}\n" for key, value in self.settings.items())
        (home / "server.properties").write_text(properties)
        (home / "log4j2.xml").write_text(LOGGING)
        if not (data / "meta.properties").exists():
            shutil.rmtree(data, ignore_errors=True)
            formatted = subprocess.run(
                [*self._java("-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", "--cluster-id",
                 CLUSTER_ID, "--config", home / "server.properties"], capture_output=True, text=True, check=False)
            if formatted.returncode != 0:
                raise StackError(f"kafka: format failed:\n{formatted.stdout}{formatted.stderr}")

    def command(self):
        return [*self._java("-Xms256m", "-Xmx512m"), "kafka.Kafka", self.stack.run_dir / "kafka" / "server.properties"]

    def serves(self):
        return answers_as_broker("127.0.0.1", self.stack.ports.get("kafka"))

    def _java(self, *options):
        java = shutil.which("java")
        if not java:
            raise StackError("kafka: no java is installed; `make setup` does that")
        return [java, *options, "-Xshare:auto", "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self.stack.run_dir / 'kafka' / 'log4j2.xml'}", "-cp", f"{jars()}/*"]
