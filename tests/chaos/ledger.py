"""The ledger checker: compares what the database committed with what Kafka and the provider hold.

Pure: it takes lists and returns a Verdict, so that it can itself be tested with planted faults
(ledger_test.py) and pointed at anyone's relay.
"""
import collections
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """A committed row of an event log."""
    id: int
    event_id: str
    topic: str
    key: str
    type: str
    seq: int
    payload: str
    service: str = "auth"   # whose log: each service numbers the events of a key by itself


@dataclasses.dataclass(frozen=True)
class Record:
    """A Kafka record as a read_committed reader sees it."""
    topic: str
    partition: int
    offset: int
    key: str
    event_id: str
    type: str
    seq: int
    value: str


@dataclasses.dataclass
class Verdict:
    rows: int = 0
    records: int = 0
    duplicates: int = 0
    lost: list = dataclasses.field(default_factory=list)
    invented: list = dataclasses.field(default_factory=list)
    altered: list = dataclasses.field(default_factory=list)
    out_of_order: list = dataclasses.field(default_factory=list)
    gaps: list = dataclasses.field(default_factory=list)
    moved_keys: list = dataclasses.field(default_factory=list)

    @property
    def faults(self):
        return {name: found for name, found in (
            ("lost", self.lost), ("invented", self.invented), ("altered", self.altered),
            ("out of order", self.out_of_order), ("gaps in seq", self.gaps),
            ("keys on two partitions", self.moved_keys)) if found}

    def __str__(self):
        faults = ", ".join(f"{len(found)} {name} (first: {found[0]})" for name, found in self.faults.items())
        return (f"{self.rows} committed, {self.records} records, {self.duplicates} same-id duplicates: "
                f"{faults or 'nothing lost, invented or out of order'}")


def check(rows, records):
    """Holds every record against the log and every log row against the records."""
    verdict = Verdict(rows=len(rows), records=len(records))
    by_id = {row.event_id: row for row in rows}
    seen = set()
    last_seq = {}
    partitions = collections.defaultdict(set)
    for record in sorted(records, key=lambda r: (r.topic, r.partition, r.offset)):
        row = by_id.get(record.event_id)
        if row is None:
            verdict.invented.append(record.event_id)
            continue
        if (row.topic, row.key, row.type, row.seq, row.payload) != (
                record.topic, record.key, record.type, record.seq, record.value):
            verdict.altered.append(record.event_id)
        partitions[(record.topic, record.key)].add(record.partition)
        if record.event_id in seen:
            verdict.duplicates += 1
            continue
        seen.add(record.event_id)
        lane = (record.topic, record.key)
        if record.seq <= last_seq.get(lane, 0):
            verdict.out_of_order.append(record.event_id)
        last_seq[lane] = record.seq
    verdict.lost = [row.event_id for row in rows if row.event_id not in seen]
    verdict.moved_keys = [lane for lane, used in partitions.items() if len(used) > 1]
    verdict.gaps = sequence_gaps(rows)
    return verdict


def sequence_gaps(rows):
    """Keys whose seq is not 1, 2, 3 ... in id order: the log itself would be wrong then."""
    last = collections.Counter()
    gaps = []
    for row in sorted(rows, key=lambda r: r.id):
        lane = (row.service, row.key)
        if row.seq != last[lane] + 1:
            gaps.append(f"{row.service} {row.key}: {row.seq} after {last[lane]}")
        last[lane] = row.seq
    return gaps


def provider_faults(sends, deliveries):
    """What breaks 'at most one provider call per attempt, ambiguous ones recorded unknown'.

    sends: (phone, attempt id) of every send the provider processed.
    deliveries: (phone, state) of every delivery intent.
    """
    faults = [f"attempt {attempt} was sent {times} times"
              for attempt, times in collections.Counter(attempt for _, attempt in sends).items() if times > 1]
    processed = collections.Counter(phone for phone, _ in sends)
    states = collections.defaultdict(collections.Counter)
    for phone, state in deliveries:
        states[phone][state] += 1
    for phone in processed.keys() | states.keys():
        sent, unknown = states[phone]["sent"], states[phone]["unknown"]
        if not sent <= processed[phone] <= sent + unknown:
            faults.append(f"{phone[:6]}…: {processed[phone]} processed, but {sent} sent and {unknown} unknown")
        for state in ("received", "sending"):
            if states[phone][state]:
                faults.append(f"{phone[:6]}…: {states[phone][state]} left {state}")
    return faults
