"""Runs faults one after the other and judges each."""
import collections
import dataclasses
import time
import traceback

from tests.chaos.relay_faults.faults import FAULTS, NEVER, QUEUE, Happened, NotRun
from tests.chaos.relay_faults.field import Field
from tests.chaos.relay_faults.window import QUEUE_BYTES, Window, recovery
# Each adds its rows to FAULTS, in the order of the report.
from tests.chaos.relay_faults import rows_crash, rows_postgres, rows_failover, rows_network, rows_kafka, rows_data, rows_repair  # noqa: F401
from tests.chaos.relay_faults import rows_poison, rows_pressure  # noqa: F401

LEVELS = ("at_least_once", "deduplicated", "transactional")
PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"


@dataclasses.dataclass
class Result:
    """A row of the report."""
    name: str
    group: str
    what: str
    state: str = FAILED
    why: str = ""          # it failed or was not run
    evidence: str = ""
    events: int = 0
    lost: int = 0
    invented: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    other: int = 0         # altered, gaps in seq, keys on two partitions
    recovery_s: float = None
    peak_mib: float = 0.0
    bound_mib: int = 0
    seconds: float = 0.0


def lost(appended):
    """Forgets one record of those that a relay brought."""
    return appended[:-1]


def invented(appended):
    return [*appended, dataclasses.replace(appended[0], record=dataclasses.replace(
        appended[0].record, event_id="00000000-0000-4000-8000-000000000000", offset=2**40))]


def duplicated(appended):
    return [*appended, dataclasses.replace(appended[0], record=dataclasses.replace(appended[0].record, offset=2**40))]


def reordered(appended):
    """The first two events of some key change places."""
    first, second = next((a, b) for a in appended for b in appended
                         if a.record.seq == 1 and b.record.seq == 2 and a.record.key == b.record.key)
    swapped = {id(first): second.record.offset, id(second): first.record.offset}
    return [dataclasses.replace(a, record=dataclasses.replace(a.record, offset=swapped.get(id(a), a.record.offset)))
            for a in appended]


PLANTS = {plant.__name__: plant for plant in (lost, invented, duplicated, reordered)}


class Matrix:
    """The rows of one level on one field."""

    def __init__(self, run_dir, seed, delivery, short, plant=None, say=print):
        self.run_dir, self.seed, self.delivery, self.short = run_dir, seed, delivery, short
        self.plant, self.say = PLANTS.get(plant), say
        self.field = None
        self.times = collections.Counter()   # how often each row was run

    def run(self, faults):
        """A Result for each; a field that cannot be healed is made anew."""
        try:
            for number, fault in enumerate(faults, 1):
                result = self.row(fault)
                mark = {PASSED: "ok", FAILED: "FAILED", NOT_RUN: "not run"}[result.state]
                self.say(f"{number:2}/{len(faults)} {mark:7} {fault.name:32} {summary(result)}")
                yield result
        finally:
            self.close()

    def row(self, fault):
        result = Result(fault.name, fault.group, fault.what, bound_mib=fault.peak_mib)
        began = time.monotonic()
        try:
            if self.delivery in fault.unlike:
                raise NotRun(f"delivery {self.delivery} does not promise it")
            self._judge(fault, result)
        except NotRun as reason:
            result.state, result.why = NOT_RUN, str(reason)
        except Exception as error:   # whatever it is, the row is red and the next one begins
            result.why = f"{type(error).__name__}: {error}".splitlines()[0]
            self.say(f"   {fault.name}: {''.join(traceback.format_exception(error))}")
        result.seconds = round(time.monotonic() - began, 1)
        return result

    def _judge(self, fault, result):
        field = self._healed()
        if fault.prepare:
            fault.prepare(field)
        field.settle()
        # Of this row and this run of it: no other's keys begin so.
        self.times[fault.name] += 1
        field.prefix = prefix = f"{fault.name}.{self.times[fault.name]}-"
        field.window = window = Window(field, prefix)
        seed = f"{self.seed}-{fault.name}" + (f"-{self.times[fault.name]}" if self.times[fault.name] > 1 else "")
        field.peak, field.name, field.load = 0.0, fault.name, field.write(prefix.removesuffix("-"), seed)
        field.relay.forget_peak()
        if fault.idle:
            happened = fault.run(field)
        else:
            with field.load:
                field.progress()
                happened = fault.run(field)
                field.progress()
        field.settle(fault.settle_seconds)
        field.note_memory()
        self._fill(fault, result, happened, *window.judge(self.plant))

    def _fill(self, fault, result, happened: Happened, verdict, appended, duplicated_bytes):
        result.evidence, result.events, result.duplicates = happened.evidence, verdict.rows, verdict.duplicates
        result.lost, result.invented, result.out_of_order = len(verdict.lost), len(verdict.invented), len(verdict.out_of_order)
        result.other = len(verdict.altered) + len(verdict.gaps) + len(verdict.moved_keys)
        waited = recovery(appended, happened.lifted)
        result.recovery_s = None if waited is None else round(waited, 2)
        result.peak_mib = round(self.field.peak, 1)
        wrong = [str(verdict)] if verdict.faults else []
        if verdict.duplicates and self._duplicates(fault) == NEVER:
            wrong.append(f"{verdict.duplicates} duplicates, but none is allowed")
        if duplicated_bytes > QUEUE_BYTES:
            wrong.append(f"{duplicated_bytes} bytes came twice: more than the queue")
        if parked := self.field.query("SELECT key, reason FROM relay.parked"):
            wrong.append(f"{len(parked)} keys are parked: {parked[0]}")
        if waited is None:
            wrong.append("nothing that was written after the fault arrived")
        if result.peak_mib > fault.peak_mib:
            wrong.append(f"the relay took {result.peak_mib} MiB, more than {fault.peak_mib}")
        result.state, result.why = (FAILED, "; ".join(wrong)) if wrong else (PASSED, "")

    def _duplicates(self, fault):
        if self.delivery == "transactional":
            return NEVER
        return QUEUE if self.delivery == "at_least_once" else fault.duplicates

    def _healed(self):
        if self.field:
            try:
                self.field.heal()
                return self.field
            except Exception as error:   # an old row's wreck must not fail this one
                self.say(f"the stack is made anew: {error}")
                self.close()
        self.field = Field(self.run_dir, self.seed, self.delivery, self.say)
        self.field.short = self.short
        self.field.start()
        return self.field

    def close(self):
        field, self.field = self.field, None
        if field:
            field.stop()


def summary(result):
    if result.state == NOT_RUN:
        return result.why
    counts = (f"{result.events} events, {result.lost} lost, {result.invented} invented, {result.duplicates} twice, "
              f"{result.out_of_order} out of order, {result.recovery_s} s, {result.peak_mib} MiB; "
              f"{result.seconds:.0f} s in all; {result.evidence}")
    return counts if result.state == PASSED else f"{result.why} ({counts})"


def chosen(delivery, short=False, only=()):
    """The rows that a level has."""
    return [fault for fault in FAULTS if (not fault.only or delivery in fault.only)
            and (fault.name in only if only else fault.short or not short)]
