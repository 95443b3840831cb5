"""The command line of the development stack: up, down, status, logs."""
import argparse
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

from deploy.dev import stack as stack_module
from deploy.dev.process import StackError


def parser():
    main_parser = argparse.ArgumentParser(prog="stack", description="The development stack.")
    commands = main_parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--run-dir", default=str(stack_module.ROOT / ".run"),
                        help="where everything is kept; two folders are two stacks (default: .run)")
    common.add_argument("--only", type=lambda text: tuple(text.split(",")),
                        help=f"comma separated parts: {','.join(stack_module.PARTS)}")
    up = commands.add_parser("up", parents=[common], help="start what is not running")
    up.add_argument("--build", default="release", help="release or asan (default: release)")
    up.add_argument("--fresh", action="store_true", help="begin with empty servers")
    up.add_argument("--foreground", action="store_true", help="stay, and stop everything on Ctrl-C")
    down = commands.add_parser("down", parents=[common], help="stop everything")
    down.add_argument("--remove", action="store_true", help="delete the servers' data too")
    commands.add_parser("status", parents=[common], help="what runs; exit 3 if anything does not")
    logs = commands.add_parser("logs", parents=[common], help="the end of the logs")
    logs.add_argument("-n", "--lines", type=int, default=20)
    logs.add_argument("-f", "--follow", action="store_true")
    return main_parser


def masked(value):
    """Without the password of a URL or a connection string: terminals are scrolled back and shared."""
    return re.sub(r"(://[^:/@\s]+:)[^@/\s]+(?=@)|(password=)\S+", r"\1\2***", value)


def recorded(run_dir):
    """The variables that the last `up` wrote."""
    file = pathlib.Path(run_dir) / "env"
    if not file.exists():
        return {}
    words = shlex.split(file.read_text())
    return dict(word.split("=", 1) for word in words if "=" in word)


def up(arguments):
    stack = stack_module.Stack(arguments.run_dir, arguments.only, build=arguments.build,
                               embedded=arguments.foreground, existing=os.environ, fresh=arguments.fresh)
    signal.signal(signal.SIGTERM, interrupt)
    stack.start()
    if not arguments.foreground:
        print(summary(stack), flush=True)
        return 0
    try:
        watch(stack)
    finally:
        stack.stop()
    return 0


def interrupt(*_):
    raise KeyboardInterrupt


def summary(stack):
    variables = stack.variables()
    width = max(len(name) for name in variables)
    lines = [f"{name:<{width}}  {masked(value)}" for name, value in variables.items()]
    env = os.path.relpath(stack.run_dir / "env")
    lines += ["", f"to use them:  source {env}"]
    if "AUTH_GRPC" in variables:
        call = f"{os.path.relpath(stack.binary('countersignctl'))} call"
        lines += [
            "", "to try it, after that:",
            f"""  {call} SignupWithPhoneNumber '{{"phoneNumber": "+4915112345678", "firstName": "Ada"}}'""",
            f"""  {call} VerifyPhoneNumber '{{"verificationId": "FROM THE ANSWER", "code": "FROM THE PHONE"}}'""",
            f"""  {call} IntrospectToken '{{"token": "FROM THE ANSWER"}}'""",
        ]
    if "TWILIO_FAKE" in variables:
        lines += ["what the phone shows:", '  curl "$TWILIO_FAKE/_fake/messages?to=%2B4915112345678"']
    return "\n".join(lines)


def watch(stack):
    """Says where everything is, then stays until Ctrl-C or SIGTERM; a part that dies ends it too."""
    try:
        print(summary(stack), flush=True)
        while True:
            dead = [part for part in stack.parts.values() if not part.running()]
            if dead:
                raise dead[0].process.failure("died")
            time.sleep(0.5)
    except KeyboardInterrupt:
        pass


def down(arguments):
    before = recorded(arguments.run_dir)
    stack = stack_module.Stack(arguments.run_dir, arguments.only)
    for name in stack.stop():
        print(f"stack: {name} did not stop in time and was killed")
    servers = stack_module.Stack(arguments.run_dir, existing=before)
    if servers.server("postgres").existing and "relay" in stack.parts:
        print("stack: the replication slot `countersign` stays in the existing database and keeps its WAL; if the relay\n"
              "stack: is not to come back: SELECT pg_drop_replication_slot('countersign')")
    if arguments.remove:
        stack.remove_data()
    return 0


def status(arguments):
    stack = stack_module.Stack(arguments.run_dir, arguments.only, existing=recorded(arguments.run_dir))
    healthy = True
    for name, part in stack.parts.items():
        if part.existing:
            print(f"{name:<12} existing  {part.address}")
        elif part.running():
            ports = ", ".join(str(stack.ports.get(port)) for port in part.ports())
            print(f"{name:<12} running   pid {part.pid}, port {ports}")
        else:
            healthy = False
            print(f"{name:<12} {'crashed' if part.process.crashed() else 'stopped'}")
    return 0 if healthy else 3


def logs(arguments):
    stack = stack_module.Stack(arguments.run_dir, arguments.only)
    files = [str(part.log) for part in stack.parts.values() if part.log.exists()]
    if not files:
        print("stack: no logs yet")
        return 0
    follow = ["-F"] if arguments.follow else []
    try:
        return subprocess.run(["tail", "-n", str(arguments.lines), *follow, *files], check=False).returncode
    except KeyboardInterrupt:
        return 130


def main():
    arguments = parser().parse_args()
    command = {"up": up, "down": down, "status": status, "logs": logs}[arguments.command]
    try:
        return command(arguments)
    except StackError as failure:
        print(f"stack: {failure}", file=sys.stderr)
        return 1
    except BrokenPipeError:   # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("stack: interrupted; nothing that this call started is left running", file=sys.stderr)
        return 130
