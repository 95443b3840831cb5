"""Scrapes the /metrics pages of processes at a steady rate and keeps what Prometheus would keep of them."""
import re
import threading
import time
import urllib.request

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
MISSING, STALE = "_", "stale"  # promtool's words


def parse(page):
    """A page of the text format as (name, labels as written) -> value as written."""
    found = {}
    for line in page.splitlines():
        if match := SAMPLE.match(line):
            found[match[1], match[2] or ""] = match[3]
    return found


def page_of(address, timeout):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=timeout) as answer:
        return answer.read().decode()


class Recorder:
    """Records while the block runs; a process that does not answer is `up` 0, and its series end.

    targets: {instance: (job, address)}; names: the metrics to keep, None for all; every: seconds
    """

    def __init__(self, targets, names=None, every=1.0):
        self._targets = targets
        self._names = names
        self._every = every
        self._columns = []  # one {series: value} for each scrape
        self._grown = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._record)
        self._fault = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def __len__(self):
        return len(self._columns)

    def wait(self, samples):
        """Until so many more samples are taken; returns how many there are."""
        with self._grown:
            goal = len(self._columns) + samples
            self._grown.wait_for(lambda: self._fault or len(self._columns) >= goal)
            if self._fault:
                raise self._fault
            return len(self._columns)

    def series(self):
        """{series: [values]}, all equally long, in promtool's words."""
        names = sorted({name for column in self._columns for name in column})
        return {name: self._values(name) for name in names}

    def _values(self, name):
        values, before = [], MISSING
        for column in self._columns:
            value = column.get(name)
            values.append(value if value is not None else STALE if before not in (MISSING, STALE) else MISSING)
            before = values[-1]
        return values

    def _record(self):
        try:
            due = time.monotonic()
            while not self._stop.is_set():
                column = {}
                for instance, (job, address) in self._targets.items():
                    column.update(self._scrape(instance, job, address))
                with self._grown:
                    self._columns.append(column)
                    self._grown.notify_all()
                due += self._every
                self._stop.wait(max(0, due - time.monotonic()))
        except BaseException as fault:
            with self._grown:
                self._fault = fault
                self._grown.notify_all()

    def _scrape(self, instance, job, address):
        target = f'instance="{instance}",job="{job}"'
        try:
            samples = parse(page_of(address, timeout=self._every / 2))
        except OSError:
            return {f"up{{{target}}}": "0"}
        kept = {f"{name}{{{','.join(filter(None, (target, labels)))}}}": value for (name, labels), value in samples.items()
                if self._names is None or name in self._names}
        return {f"up{{{target}}}": "1", **kept}


def run_length(values):
    """'5x2' instead of '5 5 5', as promtool reads it; it knows no repetition of what is no number."""
    words, index = [], 0
    while index < len(values):
        end = index
        while end + 1 < len(values) and values[end + 1] == values[index]:
            end += 1
        repeats = end - index
        if values[index].lower() == "nan":
            words += ["NaN"] * (repeats + 1)
        else:
            words.append(values[index] if not repeats or values[index] == STALE else f"{values[index]}x{repeats}")
        index = end + 1
    return " ".join(words)
