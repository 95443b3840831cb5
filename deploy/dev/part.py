"""What every part of the stack has in common: prepare, start, wait until it serves, stop."""
import os
import signal
import time

from deploy.dev.process import Process, StackError


class Part:
    """One process of the stack. Subclasses say what to run and when it serves.

    settings: overrides of the part's configuration; environment: added to its environment.
    """
    name = ""
    servers = ()      # which servers must run before it starts
    after = ()        # other parts and steps that come first if they are to be started too
    existing = False  # a server that somebody else runs
    ready_seconds = 60
    stop_seconds = 20
    stop_signal = signal.SIGTERM
    death_signal = "KILL"
    user = None
    folder = None

    def __init__(self, stack):
        self.stack = stack
        self.settings = dict(stack.settings.get(self.name, {}))
        self.environment = dict(stack.environment.get(self.name, {}))
        self.process = Process(self.name, stack.run_dir)

    # What a subclass defines.
    def ports(self):
        """Names of the ports it listens on."""
        return ()

    def prepare(self):
        """Files it needs; may take seconds, runs in a thread of its own."""

    def command(self):
        raise NotImplementedError

    def serves(self):
        """Whether it answers now."""
        raise NotImplementedError

    def endpoints(self):
        """Name -> value for .run/env."""
        return {}

    def trouble(self):
        """Why it does not serve yet, in its own words, if it has any."""
        return ""

    # What callers use.
    @property
    def log(self):
        return self.process.log

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.running()

    def spawn(self):
        """Starts it without waiting."""
        if self.running():
            return
        self.renew_ports()
        self.prepare()
        self.process.start(
            self.command(), environment={**os.environ, **self.base_environment(), **self.environment},
            user=self.user, death_signal=self.death_signal if self.stack.embedded else None, folder=self.folder)

    def renew_ports(self):
        for port in self.ports():
            self.stack.ports.renew_if_taken(port, patience=30.0 if self.process.was_started else 0.0)

    def base_environment(self):
        return {}

    def wait_ready(self):
        deadline = time.monotonic() + self.ready_seconds
        while not self.serves():
            if not self.running():
                failure = self.process.failure("did not start")
                self.process.forget()
                raise failure
            if self.stack.giving_up.is_set():
                raise StackError(f"{self.name}: the start was given up")
            if time.monotonic() > deadline:
                why = self.trouble()
                raise self.process.failure(
                    f"does not serve after {self.ready_seconds} s" + (f" ({why})" if why else ""))
            time.sleep(0.02)

    def start(self):
        self.spawn()
        self.wait_ready()

    def signal_stop(self):
        self.process.send(self.stop_signal)

    def wait_stopped(self):
        """True if it went by itself; past its time it is killed. Returns its exit code if known."""
        went = self.process.wait_gone(self.stop_seconds)
        if not went:
            self.process.kill()
        self.process.forget()
        return went

    def stop(self):
        self.signal_stop()
        return self.wait_stopped()

    def kill(self):
        self.process.kill()

    def restart(self):
        self.stop()
        self.start()
