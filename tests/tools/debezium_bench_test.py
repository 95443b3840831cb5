"""The comparison with Debezium: its settings, and what it makes of what it saw, with planted faults."""
import re
import subprocess
import tarfile
import time

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from bench import debezium_profiles as profiles
from bench import debezium_worker, frame, relay_contenders, relay_pieces
from bench import relay_vs_debezium as comparison
from bench import relay_vs_debezium_figures as figures
from deploy.dev import maven
from deploy.dev.process import StackError
from tests.support.observe import wait_for

ROOT = frame.ROOT
DATABASE = "postgresql://countersign_relay:se%40cret@127.0.0.1:5432/countersign"


def test_the_worker_is_of_the_brokers_version():
    versions = {re.search(r"<kafka.version>(.*)</kafka.version>", (ROOT / f"deploy/packages/{folder}/pom.xml").read_text())[1]
                for folder in ("maven", "maven-debezium")}
    assert len(versions) == 1


@pytest.mark.parametrize("profile", profiles.NAMES)
def test_every_profile_relays_the_same_rows_in_the_same_words(profile):
    found = profiles.connector(profile, DATABASE, "drain_1", "bench.topic")
    assert (found["database.user"], found["database.password"], found["database.dbname"]) == ("countersign_relay", "se@cret", "countersign")
    assert (found["slot.name"], found["topic.prefix"]) == ("drain_1", "drain_1"), "a stored offset must not meet a new slot"
    assert found["transforms.outbox.route.topic.replacement"] == "bench.topic"
    placed = dict(place.split(":header:") for place in found["transforms.outbox.table.fields.additional.placement"].split(","))
    assert {"ce_id", "ce_type", "ce_sequence", "ce_time"} <= set(placed.values())
    assert all(isinstance(value, str) for value in found.values()), "Connect takes nothing else"


def test_the_defaults_are_defaults():
    plain = profiles.connector("defaults", DATABASE, "slot", "topic")
    assert not [key for key in plain if key.startswith(("producer.", "max.", "poll."))]
    assert profiles.WORKER["defaults"] == {}


def test_exactly_once_is_asked_of_worker_and_connector():
    assert profiles.worker("exactly_once", "b:1", "u", "p")["exactly.once.source.support"] == "enabled"
    assert profiles.connector("exactly_once", DATABASE, "s", "t")["exactly.once.support"] == "required"


def test_workers_share_no_topic_and_no_group():
    made = [profiles.worker(profile, "127.0.0.1:9092", "http://127.0.0.1:1", "/plugins") for profile in profiles.NAMES]
    for key in ("group.id", "config.storage.topic", "offset.storage.topic", "status.storage.topic"):
        assert len({worker[key] for worker in made}) == len(made)


def test_properties_are_a_line_each():
    assert profiles.properties({"a.b": "1", "c": "d"}) == "a.b=1\nc=d\n"


def test_the_bundle_becomes_a_plugin_beside_the_jars(tmp_path):
    inside = tmp_path / "debezium-connector-postgres" / "x.jar"
    inside.parent.mkdir()
    inside.write_text("jar")
    home = tmp_path / "home"
    home.mkdir()
    with tarfile.open(home / "debezium-connector-postgres-1-plugin.tar.gz", "w:gz") as bundle:
        bundle.add(inside, "debezium-connector-postgres/x.jar")
    debezium_worker.unpack_plugin(home)
    assert [str(file.relative_to(home)) for file in home.rglob("*") if file.is_file()] == ["plugins/debezium-connector-postgres/x.jar"]


class Maven:
    """In the place of mvn: writes a jar, or fails."""

    def __init__(self, code=0):
        self.calls, self._code = 0, code

    def __call__(self, command, **_):
        self.calls += 1
        folder = next(word for word in command if word.startswith("-DoutputDirectory=")).split("=", 1)[1]
        with open(f"{folder}/a.jar", "w") as jar:
            jar.write("jar")
        return subprocess.CompletedProcess(command, self._code, "", "no such artifact")


@pytest.fixture
def pom(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "pom.xml"
    file.write_text("<project/>")
    return file


def test_maven_is_asked_once_for_each_content_of_a_pom(pom, monkeypatch):
    mvn = Maven()
    monkeypatch.setattr(maven.subprocess, "run", mvn)
    first = maven.resolved(pom, "thing")
    assert (first / "a.jar").exists() and maven.resolved(pom, "thing") == first and mvn.calls == 1
    pom.write_text("<project></project>")
    assert maven.resolved(pom, "thing") != first and mvn.calls == 2


@pytest.mark.parametrize("code, complete", [(1, lambda folder: None), (0, lambda folder: 1 / 0)])
def test_what_could_not_be_fetched_or_prepared_leaves_nothing(pom, monkeypatch, tmp_path, code, complete):
    monkeypatch.setattr(maven.subprocess, "run", Maven(code))
    with pytest.raises((StackError, ZeroDivisionError)):
        maven.resolved(pom, "thing", complete)
    assert list((tmp_path / "cache" / "countersign").iterdir()) == []


class Message:
    def topic(self):
        return "bench.tuned.7"

    def partition(self):
        return 3

    def offset(self):
        return 11

    def key(self):
        return b"key"

    def value(self):
        return b"{}"

    def headers(self):
        return [("id", b"e"), ("ce_id", b"e"), ("ce_type", b"bench.tick"), ("ce_sequence", b"5")]

    def error(self):
        return None

    def timestamp(self):
        return (self.kind, 1600)

    kind = TIMESTAMP_LOG_APPEND_TIME


def test_the_checker_takes_a_record_for_one_of_the_topic_that_its_row_names():
    record = relay_pieces.ledger_record(Message())
    assert (record.topic, record.partition, record.seq, record.event_id) == ("auth.log", 3, 5, "e")


class Consumer:
    """Has some messages, then none."""

    def __init__(self, *messages):
        self._messages = list(messages)

    def poll(self, _):
        return self._messages.pop(0) if self._messages else None


def reader_of(*messages):
    reader = object.__new__(relay_pieces.Reader)
    reader.__dict__.update(_topic="t", _consumer=Consumer(*messages), records=[], appended={}, received={})
    return reader


def test_a_reader_that_follows_notes_when_an_event_was_here_first():
    reader = reader_of(Message(), Message())
    began = time.time()
    with reader.following():
        wait_for(lambda: len(reader.records) == 2, "both records", 5, every=0.001)
    assert reader.appended == {"e": 1.6005} and began <= reader.received["e"] <= time.time()


def test_a_topic_without_append_times_is_no_source_of_figures():
    message = Message()
    message.kind = TIMESTAMP_CREATE_TIME
    reader = reader_of(message)
    with pytest.raises(RuntimeError, match="append times"), reader.following():
        wait_for(lambda: not reader._consumer._messages, "the record", 5, every=0.001)


def test_latencies_leave_out_what_warmed_up_and_what_never_came():
    written = {"warm": 0.0, "a": 10.0, "b": 10.0, "lost": 10.0}
    found = relay_pieces.latencies(written, {"warm": 9.0, "a": 10.002, "b": 10.004}, written.keys() - {"warm"})
    assert found == pytest.approx({"p50_ms": 4, "p99_ms": 4, "p999_ms": 4})
    assert set(relay_pieces.latencies(written, {}, [], "read_")) == {"read_p50_ms", "read_p99_ms", "read_p999_ms"}


def test_keys_of_two_loads_are_never_the_same():
    commands = [[str(word) for word in relay_pieces.pgbench("db", "-T", 1)] for _ in range(2)]
    runs = [next(word for word in command if word.startswith("run=")) for command in commands]
    assert runs[0] != runs[1]


def drained(ours, **theirs):
    return {name: {"per_second": rate, "events": 10, "duplicates": 0, "lost": 0, "other_faults": 0}
            for name, rate in {"deduplicated": ours, **theirs}.items()}


def test_throughput_is_against_the_best_profile_of_the_same_round():
    rounds = [drained(40, defaults=10, tuned=8), drained(60, defaults=10, tuned=20)]
    assert figures.throughput(rounds, ("defaults", "tuned")) == [4, 3]


def lived(p50, p99, cpu):
    return {"p50_ms": p50, "p99_ms": p99, "read_p50_ms": p50 + 2, "read_p99_ms": p99 + 10, "cpu_s_per_million": cpu, "rss_mib": 1.0,
            "peak_mib": 2.0, "events": 5, "duplicates": 1, "lost": 0, "other_faults": 0}


def test_latency_and_cpu_are_against_the_tuned_profile():
    rounds = [{"deduplicated": lived(1, 5, 50), "tuned": lived(2, 10, 1000), "exactly_once": lived(9, 50, 1500)}]
    assert figures.p99(rounds) == ([0.5], {"p50_ratio": 0.5})
    assert figures.cpu(rounds) == [20]


def test_the_strongest_level_is_held_against_exactly_once():
    rounds = [{"deduplicated": lived(1, 5, 50), "tuned": lived(2, 10, 1000), "transactional": lived(4, 20, 60),
               "exactly_once": lived(8, 50, 1500)}]
    assert figures.p99(rounds)[1]["transactional_to_exactly_once"] == {"p50_ratio": 0.6, "p99_ratio": 0.5}


def test_counts_are_summed_and_measures_are_medians():
    rounds = [{"tuned": lived(1, p99, 1)} for p99 in (3, 1, 2)]
    found = figures.by_contender(rounds)["contenders"]["tuned"]
    assert (found["p99_ms"], found["events"], found["duplicates"]) == (2, 15, 3)


@pytest.mark.parametrize("fault", ["lost", "duplicates", "other_faults"])
def test_a_fault_of_ours_is_named_in_the_verdict(fault):
    rounds = [drained(40, tuned=10) for _ in range(3)]
    rounds[1]["deduplicated"][fault] = 1
    rounds[1]["deduplicated"]["verdict"] = "what the ledger says"
    ((figure, values, detail),) = figures.results("drain", rounds, ("tuned",))
    result = frame.result_of(figure, values, detail)
    assert result["median"] == 4 and result["at_least"] == 3.5
    assert frame.verdict(result) == f"OVER contenders.deduplicated.{fault}"
    assert detail["contenders"]["deduplicated"]["verdicts"] == ["what the ledger says"]


def test_a_ratio_that_falls_short_is_said_to():
    ((figure, values, detail),) = figures.results("drain", [drained(30, tuned=10)], ("tuned",))
    assert frame.verdict(frame.result_of(figure, values, detail)) == "SHORT"


@pytest.mark.parametrize("figure", figures.ALL)
def test_every_figure_has_a_name_a_unit_and_one_bound(figure):
    assert figure.NAME.startswith("relay_vs_debezium_") and figure.UNIT
    assert hasattr(figure, "AT_LEAST") != hasattr(figure, "AT_MOST")


def test_everyone_is_first_in_turn():
    assert [comparison.rotated(["a", "b", "c"], turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]


def test_a_short_run_is_short_and_a_profile_that_is_none_is_refused(capsys):
    plan = comparison.plan_of(["--short"])
    assert plan.rounds == 1 and plan.events == plan.warm_events <= 5000
    assert comparison.plan_of([]).warm_events >= 200_000
    for wrong in ("defaults", "tuned,other"):
        with pytest.raises(SystemExit):
            comparison.plan_of(["--profiles", wrong])
    assert "tuned" in capsys.readouterr().err


def test_their_topics_are_made_as_ours_is_declared():
    topic = relay_contenders.like_ours("bench.tuned.1")
    assert (topic.topic, topic.num_partitions) == ("bench.tuned.1", 6)
    assert topic.config["message.timestamp.type"] == "LogAppendTime", "what every time is read off"
