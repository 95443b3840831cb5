"""Writes deploy/monitoring/dashboard.json, the Grafana dashboard, from the table below.

usage: python -m tools.docs.dashboard [--check]
"""
import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "deploy" / "monitoring" / "dashboard.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 8, 7  # of a panel; a row is 24 wide


def quantile(share, metric, *labels):
    by = ", ".join((*labels, "le"))
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket[$__rate_interval])))"


def rate(metric, *labels, where=""):
    return f"sum by ({', '.join(labels)}) (rate({metric}{where}[$__rate_interval]))"


# Row -> panels: title, what it tells, unit, [(query, legend)], value from which it is red (None: there is none).
ROWS = {
    "Promise": [
        ("Age of the oldest event that Kafka lacks", "Milliseconds in health. CountersignRelayBehind from 10 s.", "s",
         [("max by (job) (relay_lag_seconds)", "{{job}}")], 10),
        ("Relays that lead", "Exactly one. 0: events wait. 2: see the runbook at once.", "short",
         [("sum by (job) (relay_leader)", "lead"), ("count by (job) (up{job=\"countersign-relay\"} == 1)", "are up")], 2),
        ("Committed and taken by Kafka", "Transactions read from the WAL and events that Kafka acknowledged, by topic. Events "
         "are not invented: they rise with transactions only.", "short",
         [("sum(rate(relay_transactions_total[$__rate_interval]))", "transactions"),
          (rate("relay_events_total", "topic"), "{{topic}}")], None),
        ("Confirmed position moves", "WAL that Kafka has completely, per second. 0 while events wait: the relay stands. Below "
         "0: the database is an older one.", "Bps", [("max by (job) (deriv(relay_confirmed_lsn[$__rate_interval]))", "{{job}}")], None),
        ("WAL the slot keeps", "And how much more may be written before PostgreSQL gives the slot up; nothing if it sets no limit. "
         "CountersignSlotKeepsWal when less is left than is kept. Kept and not behind: a transaction stays open.", "bytes",
         [("max by (job) (relay_slot_retained_bytes)", "{{job}} keeps"), ("max by (job) (relay_slot_safe_bytes)", "{{job}} has left"),
          ("max by (job) (relay_lag_bytes)", "{{job}} is behind")], None),
        ("Left out because Kafka had them", "What a restarted relay would have sent twice.", "short",
         [("sum(increase(relay_left_out_total[$__rate_interval]))", "events")], None),
    ],
    "Relay": [
        ("Where an event's time goes", "On average: until its row is read, until Kafka's client takes it, until Kafka acknowledges it.", "s",
         [("sum by (stage) (rate(relay_stage_seconds_sum[$__rate_interval])) / "
           "sum by (stage) (rate(relay_stage_seconds_count[$__rate_interval]))", "{{stage}}")], None),
        ("99 % of the events spend less than", "In each stage.", "s", [(quantile(0.99, "relay_stage_seconds", "stage"), "{{stage}}")], None),
        ("From commit to Kafka's acknowledgement", "", "s",
         [(quantile(0.5, "relay_commit_to_ack_seconds"), "half"), (quantile(0.99, "relay_commit_to_ack_seconds"), "99 %")], 1),
        ("Handed to Kafka and not acknowledged", "", "short", [("sum by (instance) (relay_in_flight)", "{{instance}}")], None),
        ("Waiting for Kafka", "Share of the time in which the WAL was not read because the queue was full.", "percentunit",
         [(rate("relay_queue_full_seconds_total", "instance"), "{{instance}}")], 0.5),
        ("Begun again, by cause", "", "short",
         [("sum by (cause) (increase(relay_reconnects_total[$__rate_interval]))", "{{cause}}")], None),
        ("Bytes taken by Kafka", "Keys and values, by topic.", "Bps", [(rate("relay_bytes_total", "topic"), "{{topic}}")], None),
        ("The canary's way", "From the insert of a row to a consumer of Kafka; nothing without canary.interval.", "s",
         [("max by (job) (relay_canary_seconds)", "{{job}}")], 10),
        ("Canaries overdue and relays paused", "CountersignCanaryOverdue and CountersignRelayPaused.", "short",
         [("sum by (job) (relay_canary_overdue)", "{{job}} canaries overdue"), ("sum by (job) (relay_paused)", "{{job}} paused")], 1),
        ("Waiting for a standby", "A commit that wait_for_standbys holds back; moments are usual.", "short",
         [("max by (job) (relay_awaits_standbys)", "{{job}}")], 1),
        ("Keys parked", "Kafka refuses their next event for good. CountersignKeysParked from one.", "short",
         [("max by (job) (relay_parked_keys)", "{{job}}")], 1),
        ("Events left waiting behind a parked one", "", "short",
         [("sum by (job) (increase(relay_left_waiting_total[$__rate_interval]))", "{{job}}")], None),
        ("Age of the last checkpoint", "Under a second in health; what came since is read again at the next start.", "s",
         [("max by (job) (relay_checkpoint_age_seconds)", "{{job}}")], None),
        ("What PostgreSQL says of the slot", "reserved and extended are good; unreserved may be lost at the next checkpoint.", "short",
         [("max by (job, status) (relay_slot_wal_status)", "{{job}} {{status}}")], None),
        ("Begun from the tables", "The slot was lost. CountersignRelayRebuilds from one.", "short",
         [("sum by (job) (increase(relay_rebuilds_total[$__rate_interval]))", "{{job}}")], 1),
        ("Transactions of Kafka", "With delivery: transactional only. An aborted one is sent again.", "short",
         [("sum by (result) (rate(relay_kafka_transactions_total[$__rate_interval]))", "{{result}}")], None),
    ],
    "Sign-in": [
        ("Calls", "", "reqps", [(rate("rpc_requests_total", "rpc"), "{{rpc}}")], None),
        ("Refused, by reason", "docs/errors.md says what each means.", "reqps",
         [(rate("rpc_requests_total", "rpc", "reason", where='{code!="OK"}'), "{{rpc}} {{reason}}")], None),
        ("99 % of the calls take less than", "", "s", [(quantile(0.99, "rpc_seconds", "rpc"), "{{rpc}}")], 1),
        ("Calls under way", "", "short", [("sum by (rpc) (rpc_in_flight)", "{{rpc}}")], None),
        ("Processes up", "", "short", [("sum by (job) (up{job=~\"countersign-(auth|otp|relay)\"})", "{{job}}")], None),
        ("Resident memory", "", "bytes",
         [("process_resident_memory_bytes{job=~\"countersign-(auth|otp|relay)\"}", "{{job}} {{instance}}")], None),
    ],
    "Codes": [
        ("Age of the oldest unfinished request for a code", "CountersignCodesWait from 30 s.", "s",
         [("max by (job) (otp_consumer_lag_seconds)", "{{job}}")], 30),
        ("Fates of codes asked for", "", "short", [(rate("otp_deliveries_total", "outcome"), "{{outcome}}")], None),
        ("Answers to guesses", "Many wrong ones: somebody tries codes.", "short",
         [(rate("otp_verdicts_total", "verdict"), "{{verdict}}")], None),
        ("95 % of the provider's answers take less than", "", "s", [(quantile(0.95, "otp_provider_seconds", "call"), "{{call}}")], 3),
        ("Sends under way and records unfinished", "Sends at consumer.in_flight: the provider is the limit.", "short",
         [("sum(otp_sends_in_flight)", "sends"), ("sum(otp_unfinished_records)", "records")], None),
        ("Repeated and dead records", "Repeated ones do no harm; a dead one is a code that nobody got.", "short",
         [("sum(increase(otp_repeated_records_total[$__rate_interval]))", "repeated"),
          ("sum(increase(otp_dead_letters_total[$__rate_interval]))", "dead letters")], None),
    ],
    "Database": [
        ("95 % of the statements take less than", "", "s", [(quantile(0.95, "batch_seconds", "job", "batch"), "{{job}} {{batch}}")], 0.25),
        ("Commands that share a statement", "On average. It grows with load, up to 64.", "short",
         [("sum by (job, batch) (rate(batch_commands_sum[$__rate_interval])) / "
           "sum by (job, batch) (rate(batch_commands_count[$__rate_interval]))", "{{job}} {{batch}}")], None),
        ("Commands that wait", "", "short", [("sum by (job, batch) (batch_queue)", "{{job}} {{batch}}")], None),
        ("Connections that are up, least replica", "", "short",
         [("min by (job, batch) (batch_connections)", "{{job}} {{batch}}")], None),
        ("Statements that failed", "", "short",
         [("sum by (job, batch) (increase(batch_failures_total[$__rate_interval]))", "{{job}} {{batch}}")], None),
        ("Days ahead", "Partitions of the event logs and recipient keys; alarms below 2.", "short",
         [("min by (job) (event_log_days_ahead)", "partitions, {{job}}"), ("min(recipient_key_days_ahead)", "recipient keys")], None),
        ("Age of the event log's oldest day", "In days. CountersignLogNotDropped above LOG_KEEP and three days.", "short",
         [("max by (job) (event_log_days_kept)", "{{job}}")], None),
    ],
}


def thresholds(red):
    steps = [{"color": "green", "value": None}]
    return {"mode": "absolute", "steps": steps + ([{"color": "red", "value": red}] if red is not None else [])}


def panel(number, place, title, tells, unit, queries, red):
    return {
        "id": number, "type": "timeseries", "title": title, "description": tells, "datasource": SOURCE, "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "thresholds": thresholds(red),
                                     "custom": {"axisSoftMin": 0, "thresholdsStyle": {"mode": "off" if red is None else "line"}}},
                        "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [{"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend}
                    for index, (query, legend) in enumerate(queries)],
    }


def panels():
    top = 0
    for row_number, (title, contents) in enumerate(ROWS.items(), 1):
        # Ids are the place in the table, so that a new panel renumbers none of another row.
        yield {"id": row_number * 100, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}}
        top += 1
        for index, content in enumerate(contents):
            line, column = divmod(index, 24 // WIDTH)
            yield panel(row_number * 100 + index + 1,
                        {"x": column * WIDTH, "y": top + line * HEIGHT, "w": WIDTH, "h": HEIGHT}, *content)
        top += -(-len(contents) // (24 // WIDTH)) * HEIGHT


def dashboard():
    source = {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}, "hide": 0}
    return {
        "uid": "countersign", "title": "Countersign", "tags": ["countersign"], "schemaVersion": 38, "version": 1, "editable": True,
        "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "",
        "templating": {"list": [source]}, "annotations": {"list": []}, "links": [], "panels": list(panels()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the file is what would be written")
    text = json.dumps(dashboard(), indent=1) + "\n"
    if not parser.parse_args().check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        print(f"{PAGE.relative_to(ROOT)} is not what tools/docs/dashboard.py writes: make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
