"""Servers that somebody else runs: used, checked with clear words, never started or stopped."""
import urllib.parse

from deploy.dev.kafka import answers_as_broker
from deploy.dev.part import Part
from deploy.dev.postgres import OWNER, role_statements, run_sql
from deploy.dev.process import StackError


class ExistingServer(Part):
    existing = True

    def running(self):
        return True

    def signal_stop(self):
        pass

    def wait_stopped(self):
        return True

    def kill(self):
        raise StackError(f"{self.name}: this stack did not start it")

    def start(self):
        raise NotImplementedError


class ExistingPostgres(ExistingServer):
    """The database that DATABASE_URL names; its user must own it and be able to make roles."""
    name = "postgres"

    def __init__(self, stack, url):
        super().__init__(stack)
        self._url = url

    @property
    def address(self):
        parts = urllib.parse.urlsplit(self._url)
        return f"{parts.hostname or 'localhost'}:{parts.port or 5432}"

    def endpoints(self):
        return {"DATABASE_URL": self._url}

    def url(self, role=None):
        """The URL for its owner, or for one of the services' roles."""
        if not role:
            return self._url
        parts = urllib.parse.urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2]
        options = [(name, value) for name, value in urllib.parse.parse_qsl(parts.query)
                   if name not in ("user", "password", "passfile")]
        secret = self.stack.secrets.get(f"{role}.password")
        return urllib.parse.urlunsplit((parts.scheme, f"{role}:{secret}@{host}", parts.path,
                                        urllib.parse.urlencode(options), ""))

    def conninfo(self):
        return self._url

    def query(self, sql):
        return run_sql(self._url, sql)

    def start(self):
        if not self._url.startswith(("postgres://", "postgresql://")) or not self._database():
            raise StackError("DATABASE_URL: a URL with a database is needed, "
                             "for example postgresql://owner:password@localhost/countersign")
        try:
            (level,), = self.query("SHOW wal_level")
            if level != "logical":
                raise StackError(f"wal_level is {level}; the relay needs wal_level=logical (and a restart of the server)")
            self.query(role_statements(self.stack.secrets, "existing"))
        except StackError as fault:
            raise StackError(f"DATABASE_URL ({self.address}, database {self._database()}): {fault}") from None

    def _database(self):
        return urllib.parse.unquote(urllib.parse.urlsplit(self._url).path.strip("/"))


class ExistingKafka(ExistingServer):
    """The cluster that KAFKA_BROKERS names."""
    name = "kafka"

    def __init__(self, stack, brokers):
        super().__init__(stack)
        self.address = brokers

    def endpoints(self):
        return {"KAFKA_BROKERS": self.address}

    def start(self):
        brokers = [broker.strip().rpartition(":") for broker in self.address.split(",")]
        for host, _, port in brokers:
            if not host or not port.isdigit():
                raise StackError("KAFKA_BROKERS: host:port, comma separated, is needed")
        if not any(answers_as_broker(host, int(port)) for host, _, port in brokers):
            raise StackError(f"KAFKA_BROKERS: no Kafka answers at {self.address}")


def choose(environ, stack):
    """The existing servers that the variables name, by part. The stack's own do not count: whoever
    sourced its env file has them in the environment."""
    found = {}
    url, brokers = environ.get("DATABASE_URL"), environ.get("KAFKA_BROKERS")
    if url and not _is_own_database(url, stack):
        found["postgres"] = ExistingPostgres(stack, url)
    if brokers and not _is_own_kafka(brokers, stack):
        found["kafka"] = ExistingKafka(stack, brokers)
    return found


def _is_own_database(url, stack):
    secret = stack.secrets.peek(f"{OWNER}.password")
    return bool(secret) and urllib.parse.urlsplit(url).password == secret


def _is_own_kafka(brokers, stack):
    port = stack.ports.peek("kafka")
    return (stack.run_dir / "kafka").exists() and brokers == f"127.0.0.1:{port}"
