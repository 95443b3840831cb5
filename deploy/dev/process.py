"""Processes that the stack starts: found again by pid and start time, so that nothing else is ever
signalled, and dying with the program that embeds the stack when that is asked for."""
import concurrent.futures
import dataclasses
import grp
import json
import os
import pathlib
import pwd
import signal
import subprocess
import time

LOG_LIMIT_BYTES = 32 * 1024 * 1024
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")

# A parent-death signal is bound to the thread that forked, so one thread that lives as long as the
# program does all forking.
_forker = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


class StackError(RuntimeError):
    """Something the person at the keyboard must read; shown without a traceback."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """A process for all time: pids are given out again, a pid with a start time is not."""
    pid: int
    started: int
    boot: str

    @staticmethod
    def of(pid):
        fields = _stat(pid)
        return Identity(pid, int(fields[19]), BOOT_ID.read_text().strip()) if fields else None

    def alive(self):
        fields = _stat(self.pid)
        return bool(fields and int(fields[19]) == self.started
                    and (fields[0] not in "ZX" or _has_other_threads(self.pid))
                    and BOOT_ID.read_text().strip() == self.boot)


def _stat(pid):
    """The fields of /proc/<pid>/stat after the program's name, or None."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _has_other_threads(pid):
    """A killed program's first thread is gone before the others, who still hold its ports."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    """All children of a process and theirs."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(entry.name)):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


class Process:
    """One process with its pid file and its log. Not thread safe; one owner at a time."""

    def __init__(self, name, run_dir):
        self.name = name
        self.log = run_dir / "logs" / f"{name}.log"
        self._record = run_dir / "pids" / f"{name}.json"
        self._child = None
        self._log_begin = 0   # where the lines of this start begin

    def identity(self):
        try:
            return Identity(**json.loads(self._record.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @property
    def pid(self):
        identity = self.identity()
        return identity.pid if identity else None

    def running(self):
        identity = self.identity()
        if identity and self._child and self._child.pid == identity.pid:
            # The state of its first thread is no answer: others may still hold its port.
            return self._child.poll() is None
        return bool(identity and identity.alive())

    def crashed(self):
        """It was started, never asked to stop, and is gone."""
        return self._record.exists() and not self.running()

    def start(self, command, environment=None, user=None, death_signal=None, folder=None):
        """Starts the command. death_signal: what it gets when this program dies; None: nothing."""
        if self.running():
            return
        for path in (self.log, self._record):
            path.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        wrapper = []
        if user or death_signal:
            wrapper = ["setpriv"]
            if user:
                wrapper += [f"--reuid={user}", f"--regid={_group_of(user)}", "--init-groups"]
            if death_signal:
                wrapper += [f"--pdeathsig={death_signal}"]
            wrapper += ["--"]
        with self.log.open("ab") as log:
            os.chmod(self.log, 0o600)
            self._log_begin = log.tell()
            self._child = _forker.submit(
                subprocess.Popen, wrapper + [str(word) for word in command], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=folder, start_new_session=True,
                env=None if environment is None else {k: str(v) for k, v in environment.items()},
            ).result()
        identity = Identity.of(self._child.pid)
        self._record.write_text(json.dumps(dataclasses.asdict(identity)))

    @property
    def was_started(self):
        """By this very program, whether or not it still runs."""
        return self._child is not None

    def exit_code(self):
        """Of a child of this very program; None if unknown."""
        return self._child.poll() if self._child else None

    def send(self, number):
        identity = self.identity()
        if identity and identity.alive():
            os.kill(identity.pid, number)

    def wait_gone(self, seconds):
        deadline = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def kill(self):
        """SIGKILL to it and everything it forked, at once: a crash."""
        identity = self.identity()
        if identity and identity.alive():
            victims = [Identity.of(pid) for pid in descendants(identity.pid)]
            os.kill(identity.pid, signal.SIGKILL)
            for victim in victims:
                if victim and victim.alive():
                    try:
                        os.kill(victim.pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            self.wait_gone(10)
            for victim in victims:
                _wait_dead(victim, 5)
        self.forget()

    def forget(self):
        self._record.unlink(missing_ok=True)

    def last_lines(self, count=15):
        try:
            text = self.log.read_bytes()[self._log_begin:]
        except FileNotFoundError:
            return []
        return text.decode(errors="replace").splitlines()[-count:]

    def failure(self, what):
        """The error that says which part failed and shows its last words."""
        code = self.exit_code()
        ended = f" (exit code {code})" if code is not None else ""
        lines = self.last_lines()
        shown = "".join(f"\n  {line}" for line in lines) or " nothing"
        return StackError(f"{self.name} {what}{ended}; the end of {self.log}:{shown}")


def _wait_dead(identity, seconds):
    deadline = time.monotonic() + seconds
    while identity and identity.alive() and time.monotonic() < deadline:
        time.sleep(0.01)


def _group_of(user):
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
