"""What the benchmarks make of what they saw, with planted faults: a figure that cannot be bad says nothing."""
import importlib
import types

import pytest

from bench import frame, handover, run
from bench.handover import Fault, Seen
from tests.chaos.ledger import Record, Row, check

FAULT = Fault(at=100.0, new_from=100.1, streaming=100.4, left_out=7)
BEFORE = [Seen(98.9, 99.0), Seen(99.95, 100.5), Seen(99.98, 100.52)]


@pytest.mark.parametrize("module", run.MODULES)
def test_every_benchmark_has_a_name_a_unit_and_a_bound(module):
    found = importlib.import_module(f"bench.{module}")
    assert found.NAME and found.UNIT and callable(found.run)
    assert hasattr(found, "AT_LEAST") != hasattr(found, "AT_MOST")


def test_a_figure_runs_from_the_fault_to_the_first_event_written_after_the_old_relay():
    found = handover.outcome(FAULT, [*BEFORE, Seen(100.2, 100.9), Seen(100.3, 100.8)], until=200)
    assert found == pytest.approx({"first_new_s": 0.8, "first_any_s": 0.5, "streaming_s": 0.4, "longest_wait_s": 0.7, "left_out": 7})


def test_what_the_old_relay_sent_after_the_fault_is_no_event_of_the_new_one():
    late = Seen(100.05, 100.06)
    found = handover.outcome(FAULT, [late, *BEFORE, Seen(100.2, 100.9)], until=200)
    assert (found["first_any_s"], found["first_new_s"]) == pytest.approx((0.5, 0.9))


def test_an_event_that_waited_longest_counts_unless_it_is_of_the_next_round():
    waited = [*BEFORE, Seen(100.2, 100.9), Seen(100.3, 104.3), Seen(150, 159)]
    assert handover.outcome(FAULT, waited, until=150)["longest_wait_s"] == pytest.approx(4)


@pytest.mark.parametrize("seen", [[], BEFORE, [Seen(100.2, 100.3)]])
def test_a_round_after_which_nothing_new_came_is_no_figure(seen):
    with pytest.raises(RuntimeError, match="no event came"):
        handover.outcome(FAULT, seen, until=200)


class Message:
    def __init__(self, event, written, appended_ms):
        self._headers = [("ce_id", event.encode()), ("ce_time", written.encode())]
        self._appended = appended_ms

    def headers(self):
        return self._headers

    def timestamp(self):
        return (2, self._appended)


def test_an_event_has_arrived_with_its_first_record():
    doubled = [Message("a", "1970-01-01T00:00:01.5Z", 1600), Message("b", "1970-01-01T00:00:01.5Z", 1700),
               Message("a", "1970-01-01T00:00:01.5Z", 9000)]
    assert handover.first_of_each(doubled) == [Seen(1.5, 1.6005), Seen(1.5, 1.7005)]


def test_the_rate_is_that_of_the_writer():
    assert handover.rate([Seen(5 + i / 500, 9.0) for i in range(1001)]) == 500


def test_the_log_says_when_a_relay_began():
    log = ('{"ts":"1970-01-01T00:00:02.250000Z","level":"info","msg":"streaming","slot":"streaming"}\n'
           '{"ts":"1970-01-01T00:00:03.000000Z","level":"info","msg":"ready","slot":"streaming"}\nnot json\n')
    assert list(handover.began_to_stream(log)) == [2.25]


def row(number):
    return Row(number, f"event-{number}", "auth.log", "key", "test.tick", number, "{}")


def record(number, offset, value="{}"):
    return Record("auth.log", 0, offset, "key", f"event-{number}", "test.tick", number, value)


def test_the_ledger_counts_what_is_doubled_lost_and_otherwise_wrong():
    whole = handover.ledger(check([row(1), row(2)], [record(1, 0), record(2, 1)]))
    assert whole == {"events": 2, "duplicates": 0, "lost": 0, "other_faults": 0}
    broken = handover.ledger(check([row(1), row(2), row(3)], [record(2, 0), record(1, 1, "[]"), record(1, 2, "[]")]))
    assert (broken["duplicates"], broken["lost"], broken["other_faults"]) == (1, 1, 3)
    assert "event-3" in broken["verdict"]


def result(median, detail=None, **bounds):
    return {"median": median, "detail": detail or {}, **bounds}


@pytest.mark.parametrize("found, said", [
    (result(1, at_most=1), "ok"),
    (result(1.1, at_most=1), "OVER"),
    (result(1, at_least=1), "ok"),
    (result(0.9, at_least=1), "SHORT"),
    (result(1), "-"),
    (result(1, {"lost": 0}, at_most=1, also_at_most={"lost": 0}), "ok"),
    (result(1, {"lost": 1}, at_most=1, also_at_most={"lost": 0}), "OVER lost"),
    (result(2, {"a": {"lost": 1}, "doubled": 2}, at_most=1, also_at_most={"a.lost": 0, "doubled": 2}), "OVER a.lost"),
    (result(0.9, {"lost": 1}, at_least=1, also_at_most={"lost": 0}), "SHORT lost"),
])
def test_a_bound_that_is_missed_is_named(found, said):
    assert frame.verdict(found) == said


def test_the_further_bounds_are_in_the_result(tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "RESULTS", tmp_path)
    module = types.SimpleNamespace(NAME="planted", UNIT="s", AT_MOST=1, ALSO_AT_MOST={"lost": 0})
    assert frame.write(module, [1, 2, 0.5], {"lost": 3})["also_at_most"] == {"lost": 0}
    assert (tmp_path / "planted.json").exists()
