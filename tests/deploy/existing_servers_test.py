"""DATABASE_URL and KAFKA_BROKERS name servers to use: they are, with clear words where they cannot be."""
import pytest

from deploy.dev.ports import Ports
from deploy.dev.stack import ROOT, Stack


@pytest.fixture(scope="module")
def servers():
    """Somebody's PostgreSQL and Kafka."""
    with Stack(ROOT / ".run" / "deploy" / "servers", ("postgres", "kafka"), fresh=True) as stack:
        yield stack
    stack.remove()


def test_existing_servers_are_used_and_left_alone(servers, sandbox):
    given = {name: servers.variables()[name] for name in ("DATABASE_URL", "KAFKA_BROKERS")}
    up = sandbox.run("up", **given)
    assert up.returncode == 0, up.stderr
    commands = " ".join(sandbox.processes().values())
    assert "countersign-relay" in commands
    assert "kafka.Kafka" not in commands and "postgres" not in commands
    assert {name: sandbox.variables()[name] for name in given} == given
    assert servers.part("postgres").query("SELECT slot_name, active FROM pg_replication_slots") == [["countersign", "t"]]
    assert "existing" in sandbox.run("status").stdout
    assert sandbox.run("up", **given).returncode == 0, "and once more"
    down = sandbox.run("down")
    assert "pg_drop_replication_slot('countersign')" in down.stdout, "a slot left behind fills a disk"
    assert not sandbox.left_after()
    assert all(part.running() for part in servers.parts.values())


def test_who_has_sourced_the_env_file_of_a_stack_gets_that_stack_again(sandbox):
    assert sandbox.run("up", "--only", "postgres,kafka").returncode == 0
    own = sandbox.variables()
    assert sandbox.run("down").returncode == 0
    again = sandbox.run("up", "--only", "postgres,kafka", **own)
    assert again.returncode == 0, again.stderr
    assert "existing" not in sandbox.run("status", **own).stdout


def test_a_database_that_is_missing_is_named(servers, sandbox):
    url = servers.variables()["DATABASE_URL"].replace("/countersign", "/nowhere")
    up = sandbox.run("up", "--only", "postgres", DATABASE_URL=url)
    assert up.returncode == 1
    assert "DATABASE_URL" in up.stderr and 'database "nowhere" does not exist' in up.stderr
    assert url not in up.stderr, "the password is not shown"


def test_a_server_without_logical_wal_is_refused_with_the_remedy(sandbox_at, sandbox):
    home = sandbox_at("replica")
    with Stack(home.folder, ("postgres",), settings={"postgres": {"wal_level": "replica"}}) as stack:
        up = sandbox.run("up", "--only", "postgres", DATABASE_URL=stack.variables()["DATABASE_URL"])
        assert up.returncode == 1
        assert "wal_level is replica" in up.stderr and "wal_level=logical" in up.stderr


def test_what_is_no_database_url_is_refused(sandbox):
    for text in ("host=localhost dbname=x", "postgresql://localhost"):
        up = sandbox.run("up", "--only", "postgres", DATABASE_URL=text)
        assert up.returncode == 1
        assert "for example postgresql://" in up.stderr


def test_an_address_where_no_kafka_answers_is_named(sandbox):
    nobody = f"127.0.0.1:{Ports(sandbox.folder.parent / 'nobody').get('nobody')}"
    up = sandbox.run("up", "--only", "kafka", KAFKA_BROKERS=nobody)
    assert up.returncode == 1
    assert f"no Kafka answers at {nobody}" in up.stderr


def test_data_of_existing_servers_is_never_removed(servers, sandbox):
    up = sandbox.run("up", "--only", "postgres", "--fresh", DATABASE_URL=servers.variables()["DATABASE_URL"])
    assert up.returncode == 1
    assert "not removed from here" in up.stderr
