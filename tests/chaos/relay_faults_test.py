"""The matrix of the relay's faults: its short rows, and that a planted fault turns a row, the report and the exit code red."""
import os
import secrets

import pytest

from tests.chaos.relay_faults import matrix, report, run
from tests.chaos.relay_faults.faults import Fault, Happened
from tests.chaos.relay_faults.field import NotHappened, now

SEED = os.environ.get("COUNTERSIGN_SEED") or secrets.token_hex(4)
SHORT = matrix.chosen("deduplicated", short=True)


def harmless(_field):
    return Happened("nothing, on purpose", now())


def absent(_field):
    raise NotHappened("the fault did not happen")


NOTHING = Fault("nothing", "None", "nothing happens", harmless)


@pytest.fixture(scope="module")
def rows():
    """Judges one row after the other on one stack."""
    runner = matrix.Matrix(run.ROOT / ".run" / "relay-faults-test", SEED, "deduplicated", short=True)
    yield runner
    runner.close()


@pytest.fixture
def planted(rows):
    """The same with something spoilt in what was read."""
    def plant(name):
        rows.plant = matrix.PLANTS[name]
        return rows.row(NOTHING)
    yield plant
    rows.plant = None


# Kafka's absence takes a minute even when it is short, and outage_test.py has half a minute of it.
@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name, marks=[pytest.mark.full] * (fault.name == "kafka-away"))
                                   for fault in SHORT])
def test_I1_I2_I3_nothing_is_lost_doubled_or_reordered(rows, fault, capsys):
    result = rows.row(fault)
    with capsys.disabled():
        print(f"\n{fault.name} (COUNTERSIGN_SEED={SEED}): {matrix.summary(result)}")
    assert result.state == matrix.PASSED, result.why


@pytest.mark.parametrize("plant, count", [("lost", "lost"), *(pytest.param(*plant, marks=pytest.mark.full) for plant in (
    ("invented", "invented"), ("duplicated", "duplicates"), ("reordered", "out_of_order")))])
def test_a_planted_fault_makes_its_row_red(planted, plant, count):
    result = planted(plant)
    assert result.state == matrix.FAILED
    counts = {name: getattr(result, name) for name in ("lost", "invented", "duplicates", "out_of_order")}
    assert counts == {**dict.fromkeys(counts, 0), count: 1}
    assert "**red**" in report.line(vars(result))


def test_without_a_planted_fault_the_same_row_is_good(rows):
    assert rows.row(NOTHING).state == matrix.PASSED


def test_a_fault_that_was_not_seen_makes_its_row_red(rows):
    result = rows.row(Fault("absent", "None", "what does not happen", absent))
    assert result.state == matrix.FAILED and "did not happen" in result.why


def test_a_red_row_makes_the_exit_code_and_the_report_red(rows, monkeypatch, tmp_path):
    monkeypatch.setattr(matrix, "FAULTS", [NOTHING])
    field = rows._healed()

    def healed(self):
        self.field, self.times = field, rows.times
        return field
    monkeypatch.setattr(matrix.Matrix, "_healed", healed)
    monkeypatch.setattr(matrix.Matrix, "close", lambda self: None)
    words = ["--only", "nothing", "--run-dir", str(tmp_path), "--report", str(tmp_path / "report.md"), "--seed", "7"]
    assert run.main(words) == 0
    assert "1 passed, 0 failed" in (tmp_path / "report.md").read_text()
    assert run.main([*words, "--plant", "lost"]) == 1
    assert "0 passed, 1 failed" in (tmp_path / "report.md").read_text()


def test_an_unknown_row_is_refused(capsys):
    assert run.main(["--only", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.full
def test_I1_I2_I3_the_whole_matrix():
    assert run.main(["--run-dir", str(run.ROOT / ".run" / "relay-faults-full"), "--seed", SEED]) == 0
