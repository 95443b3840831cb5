"""The ledger checker is tested with planted faults: each must turn it red."""
import dataclasses
import random

import pytest

from tests.chaos.ledger import Record, Row, check, provider_faults


@pytest.fixture
def healthy():
    rows, records, offsets = [], [], [0, 0, 0]
    chance = random.Random(7)
    seqs = {}
    for number in range(1, 201):
        key = f"user-{chance.randrange(12)}"
        seqs[key] = seqs.get(key, 0) + 1
        row = Row(number, f"event-{number}", "auth.log", key, "session.refreshed", seqs[key], f'{{"n":{number}}}')
        partition = int(key[5:]) % 3
        records.append(Record(row.topic, partition, offsets[partition], row.key, row.event_id, row.type, row.seq, row.payload))
        offsets[partition] += 1
        rows.append(row)
    return rows, records


def test_a_faithful_copy_passes(healthy):
    rows, records = healthy
    assert not check(rows, records).faults


def test_a_same_id_duplicate_is_counted_but_passes(healthy):
    rows, records = healthy
    records.append(dataclasses.replace(records[5], offset=10_000))
    verdict = check(rows, records)
    assert not verdict.faults
    assert verdict.duplicates == 1


def test_a_dropped_record_is_lost(healthy):
    rows, records = healthy
    dropped = records.pop(17)
    assert check(rows, records).lost == [dropped.event_id]


def test_an_added_record_is_invented(healthy):
    rows, records = healthy
    records.append(dataclasses.replace(records[0], offset=10_000, event_id="never-committed"))
    assert check(rows, records).invented == ["never-committed"]


def test_two_swapped_records_of_one_key_are_out_of_order(healthy):
    rows, records = healthy
    first = next(r for r in records if r.seq == 1)
    second = next(r for r in records if r.key == first.key and r.seq == 2)
    records[records.index(first)] = dataclasses.replace(first, offset=second.offset)
    records[records.index(second)] = dataclasses.replace(second, offset=first.offset)
    assert check(rows, records).out_of_order == [first.event_id]


def test_a_rekeyed_record_is_altered(healthy):
    rows, records = healthy
    records[3] = dataclasses.replace(records[3], key="somebody-else")
    assert records[3].event_id in check(rows, records).altered


def test_a_changed_value_is_altered(healthy):
    rows, records = healthy
    records[3] = dataclasses.replace(records[3], value="{}")
    assert check(rows, records).altered == [records[3].event_id]


def test_a_key_on_two_partitions_is_found(healthy):
    rows, records = healthy
    last = max(range(len(records)), key=lambda i: records[i].seq)
    records[last] = dataclasses.replace(records[last], partition=7, offset=0)
    assert check(rows, records).moved_keys


def test_a_gap_in_the_log_itself_is_found(healthy):
    rows, records = healthy
    first = next(i for i, row in enumerate(rows) if row.seq == 2)
    assert check(rows[:first] + rows[first + 1:], records).gaps


def test_each_service_numbers_the_events_of_a_key_by_itself(healthy):
    rows, records = healthy
    own = [dataclasses.replace(row, service="otp", topic="otp.log", event_id=f"otp-{row.event_id}") for row in rows]
    copies = [dataclasses.replace(record, topic="otp.log", event_id=f"otp-{record.event_id}") for record in records]
    assert not check(rows + own, records + copies).faults
    assert check(rows + own[1:], records + copies).gaps


def test_one_processed_send_for_one_sent_delivery_passes():
    assert not provider_faults([("+1", "a1")], [("+1", "sent")])


def test_an_unknown_delivery_may_or_may_not_have_been_processed():
    assert not provider_faults([("+1", "a1")], [("+1", "unknown")])
    assert not provider_faults([], [("+1", "unknown")])


def test_a_second_processing_of_one_attempt_is_found():
    assert provider_faults([("+1", "a1"), ("+1", "a1")], [("+1", "sent"), ("+1", "sent")])


def test_a_second_call_for_one_delivery_is_found():
    assert provider_faults([("+1", "a1"), ("+1", "a2")], [("+1", "sent")])


def test_a_delivery_recorded_sent_that_never_was_is_found():
    assert provider_faults([], [("+1", "sent")])


def test_a_send_recorded_as_failed_is_found():
    assert provider_faults([("+1", "a1")], [("+1", "failed")])


def test_an_intent_left_open_is_found():
    assert provider_faults([], [("+1", "sending")])
