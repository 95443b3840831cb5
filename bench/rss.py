"""Resident memory of each service, idle and under load."""
import threading
import time

from bench import frame

NAME = "rss"
UNIT = "MiB, largest service under load"
AT_MOST = 60
SERVICES = ("auth", "relay", "otp")


def run(rounds, seconds):
    with frame.running(seconds) as context:
        pids = {name: context.stack.part(name).pid for name in SERVICES}
        idle = {name: round(frame.resident_mib(pid), 1) for name, pid in pids.items()}
        peaks = dict.fromkeys(SERVICES, 0.0)
        values = []
        for _ in range(rounds):
            load = threading.Thread(target=context.load, args=("signup",),
                                    kwargs={"clients": 64, "first": context.fresh_numbers(1_000_000)})
            load.start()
            while load.is_alive():
                for name, pid in pids.items():
                    peaks[name] = max(peaks[name], frame.resident_mib(pid))
                time.sleep(0.05)
            load.join()
            values.append(max(peaks.values()))
    return values, {"idle_mib": idle, "peak_mib": {name: round(value, 1) for name, value in peaks.items()}}
