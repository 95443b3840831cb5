"""What must be there before the services start. Each step is quick when there is nothing to do."""
import os
import subprocess

from deploy.dev import tls
from deploy.dev.process import StackError


class Step:
    name = ""
    after = ()

    def __init__(self, stack):
        self.stack = stack

    def run(self):
        raise NotImplementedError

    def control(self, *words, accept=(0,), **environment):
        """Runs countersignctl, its connections by environment, where no process list shows them."""
        done = subprocess.run([self.stack.binary("countersignctl"), *words], capture_output=True, text=True,
                              check=False, env={**os.environ, **environment})
        if done.returncode not in accept:
            raise StackError(f"{self.name}: countersignctl {' '.join(words[:2])} failed:\n"
                             f"{(done.stdout + done.stderr).strip()}")


class Migrations(Step):
    name = "migrations"
    after = ("postgres",)

    def run(self):
        self.control("migrate", "up", DATABASE_URL=self.stack.server("postgres").url())


class Topics(Step):
    name = "topics"
    after = ("kafka", "kafka_2", "kafka_3")   # a topic's replicas need all brokers

    def run(self):
        # 3: an existing cluster has other settings than declared, and they were left alone.
        self.control("topics", "apply", accept=(0, 3), KAFKA_BROKERS=self.stack.server("kafka").address)


class Keys(Step):
    name = "keys"

    def run(self):
        # A folder that was made days ago lacks the recipient keys of the coming days.
        folder = str(self.stack.keys_dir)
        self.control("keys", "init", KEYS_DIR=folder)
        self.control("keys", "ensure", KEYS_DIR=folder)


class Certificates(Step):
    name = "certificates"

    def run(self):
        tls.ensure(self.stack.tls_dir)


STEPS = {step.name: step for step in (Migrations, Topics, Keys, Certificates)}
