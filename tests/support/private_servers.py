"""Servers of its own for one test, which it may stop and start: reads commands on standard input.

usage: python -m tests.support.private_servers PART[,PART] [PART.SETTING=VALUE ...]

Prints `ready NAME=VALUE…` once all serve; then `stop PART`, `kill PART` and `start PART` are each
answered with `done`. When the input ends, so do the servers, and their data is gone.
"""
import pathlib
import signal
import sys
import tempfile

from deploy.dev.stack import ROOT, Stack


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = ROOT / ".run"
    home.mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="private-", dir=home))
    settings = {}
    for word in sys.argv[2:]:
        name, value = word.split("=", 1)
        part, setting = name.split(".", 1)
        settings.setdefault(part, {})[setting] = value
    stack = Stack(run_dir=folder, only=tuple(sys.argv[1].split(",")), settings=settings)
    try:
        with stack:
            values = "\t".join(f"{name}={value}" for name, value in stack.test_environment().items())
            print(f"ready\t{values}", flush=True)
            for line in sys.stdin:
                what, part = line.split()
                {"stop": stack.part(part).stop, "kill": stack.part(part).kill, "start": stack.part(part).start}[what]()
                print("done", flush=True)
    finally:
        stack.remove()


if __name__ == "__main__":
    main()
