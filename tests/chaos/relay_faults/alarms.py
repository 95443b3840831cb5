"""Whether the alarms of deploy/monitoring fire on what a relay shows: by promtool where it is, on samples of this very run."""
import pathlib
import shutil
import subprocess
import tempfile

from tests.chaos.relay_faults.field import expect
from tests.support import promtool
from tests.support.recorder import Recorder, run_length

SCRAPE = 15  # seconds, as in deploy/monitoring/prometheus.yaml


class Alarms:
    """compressed: a sample a second is replayed as one in 15 s, as tests/chaos/record.py does."""

    def __init__(self, relay, compressed):
        names = set().union(*(promtool.metrics_of(rule["expr"]) for rule in promtool.rules().values()))
        self._recorder = Recorder({relay.name: ("countersign-relay", relay.metrics)}, names, 1 if compressed else SCRAPE)
        self._begun = 0

    def __enter__(self):
        self._recorder.__enter__()
        self._recorder.wait(2)
        return self

    def __exit__(self, *_):
        self._recorder.__exit__()

    def begin(self):
        self._begun = len(self._recorder)

    def end(self, alerts):
        """What to say of these alerts; fails if one does not fire."""
        samples = len(self._recorder)
        series = self._recorder.series()
        program = find()
        if not program:
            lag = [float(value) for name, values in series.items() if name.startswith("relay_lag_seconds") for value in values[self._begun:]
                   if value[0].isdigit()]
            expect(max(lag, default=0) > 10, f"relay_lag_seconds came to {max(lag, default=0)} only")
            return f"relay_lag_seconds is above the thresholds of {', '.join(alerts)} (no promtool here)"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(promtool.ALERTS, folder)
            file = pathlib.Path(folder) / "fault.yaml"
            file.write_text("".join(replay(series, samples, self._begun, alerts)))
            done = subprocess.run([program, "test", "rules", file], capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"promtool says {(done.stdout + done.stderr)[-600:]}")
        return f"{' and '.join(alerts)} fire"


def find():
    unpacked = promtool.ROOT / ".run" / "toolchain" / "debian" / "usr" / "bin" / "promtool"
    return unpacked if unpacked.exists() else shutil.which("promtool")


def replay(series, samples, begun, alerts):
    yield f"rule_files: [alerts.yaml]\nevaluation_interval: {SCRAPE}s\n"
    yield f"tests:\n  - interval: {SCRAPE}s\n    input_series:\n"
    for name, values in series.items():
        yield f"      - {{series: '{name}', values: '{run_length(values[:samples])}'}}\n"
    yield "    promql_expr_test:\n"
    for alert in alerts:
        query = f'max by (alertname) (ALERTS{{alertstate="firing",alertname="{alert}"}})'
        yield f"      - {{expr: '{query}', eval_time: {(begun - 1) * SCRAPE}s, exp_samples: []}}\n"
        yield (f"      - {{expr: '{query}', eval_time: {(samples - 1) * SCRAPE}s, "
               f"exp_samples: [{{labels: '{{alertname=\"{alert}\"}}', value: 1}}]}}\n")
