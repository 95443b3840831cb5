"""A physical standby of the stack's PostgreSQL, which streams from a slot of its own."""
import os
import shutil
import subprocess

from deploy.dev.part import Part
from deploy.dev.postgres import HOST_RULES, OWNER, Postgres, libpq_environment
from deploy.dev.process import StackError


class Standby(Postgres):
    name = "postgres_standby"
    slot = "standby"

    def __init__(self, stack):
        self.primary = stack.part("postgres")
        super().__init__(stack)
        self.settings = dict(self.primary.settings)

    def ports(self):
        return ("postgres_standby",)

    @property
    def data(self):
        return self.primary.data.parent / "standby"   # where the server's user can reach it

    def prepare(self):
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        self._own(self.data)
        # The stack's own rules let nobody copy the cluster.
        self.primary._write("pg_hba.conf", f"host replication {OWNER} 127.0.0.1/32 scram-sha-256\n{HOST_RULES}")
        self.primary.query("SELECT pg_reload_conf()")
        copied = subprocess.run(
            [*self.as_user(), self._bin / "pg_basebackup", "-D", self.data, "-X", "stream", "--checkpoint=fast", "--no-sync",
             "--write-recovery-conf", "--create-slot", f"--slot={self.slot}"],
            capture_output=True, text=True, check=False, cwd="/", env={**os.environ, **libpq_environment(self.primary.conninfo())})
        if copied.returncode != 0:
            raise StackError(f"{self.name}: pg_basebackup failed:\n{copied.stderr.strip()}")
        with (self.data / "countersign.conf").open("a") as conf:
            conf.write(f"port = {self.stack.ports.get('postgres_standby')}\n")

    def port(self):
        return self.stack.ports.get("postgres_standby")

    def wait_ready(self):
        Part.wait_ready(self)

    def close(self):
        """Stops it and deletes what it had; the primary's slot for it, if it is there yet, goes too."""
        if self.running():
            self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        if self.primary.running():
            self.primary.query(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{self.slot}'")
