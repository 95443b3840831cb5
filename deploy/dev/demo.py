"""`make demo`: one sign-up travels through real parts, and every step of it is checked.

usage: python -m deploy.dev.demo [--run-dir FOLDER]

Starts a stack of its own with empty servers and stops it at the end, whatever happens. Exit code 0 if
everything was as it should be, 1 if not, 130 after Ctrl-C.
"""
import argparse
import signal
import sys
import time

from deploy.dev.process import StackError
from deploy.dev.stack import ROOT, Stack
from deploy.dev.teller import Miss, Teller
from deploy.dev.witness import await_otp_consumer


def interrupt(*_):
    raise KeyboardInterrupt


def run(run_dir, teller):
    began = time.monotonic()
    teller.plain("PostgreSQL, Kafka, a Twilio fake, countersign-auth, -otp and -relay are being started ...")
    with Stack(run_dir=run_dir, fresh=True) as stack:
        from deploy.dev.story import Story   # generates the client code of api/, which takes a second
        await_otp_consumer(stack.variables()["KAFKA_BROKERS"])
        teller.plain(f"... and serve, after {time.monotonic() - began:.1f} s.")
        story = Story(stack, teller)
        try:
            story.tell()
        finally:
            story.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", default=str(ROOT / ".run" / "demo"), help="where its stack lives (default: .run/demo)")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    teller = Teller()
    try:
        run(arguments.run_dir, teller)
    except KeyboardInterrupt:
        teller.fail("interrupted; nothing is left running")
        return 130
    except (Miss, StackError) as failure:
        teller.fail(str(failure))
    except Exception as failure:   # a refused call, a server that died: the story is over either way
        teller.fail(f"{type(failure).__name__}: {failure}")
    else:
        return 0
    teller.plain(f"the logs are in {arguments.run_dir}/logs")
    return 1


if __name__ == "__main__":
    sys.exit(main())
