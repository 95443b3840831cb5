"""A private PostgreSQL cluster, set up the way the services want theirs in production: SCRAM on
TCP, logical WAL, durable commits, and no statement or row in its log."""
import hashlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import urllib.parse

from deploy.dev.part import Part
from deploy.dev.process import StackError
from deploy.dev.secret_store import scram_verifier, write_private

ROLES = ("countersign_auth", "countersign_otp", "countersign_relay")
OWNER = "postgres"
DATABASE = "countersign"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 100,
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_level": "logical",
    "fsync": "on",
    "max_wal_senders": 20,
    "max_replication_slots": 20,
    "max_slot_wal_keep_size": "8GB",
    "wal_sender_timeout": "10s",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %a ",
    "log_checkpoints": "off",
    # A conflict's DETAIL prints the key, a failed statement its values: neither may be logged.
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": 0,
    "log_parameter_max_length_on_error": 0,
}

# The word replication matches physical replication only: no base backup, whatever the role may do.
HOST_RULES = """\
host replication all 0.0.0.0/0 reject
host replication all ::0/0 reject
host all all 127.0.0.1/32 scram-sha-256
"""


class Postgres(Part):
    name = "postgres"
    stop_signal = signal.SIGINT   # fast: sessions are ended, commits are kept
    death_signal = "QUIT"         # immediate: the whole cluster goes with its postmaster
    stop_seconds = 40

    def __init__(self, stack):
        super().__init__(stack)
        self.user = _unprivileged_user() if os.geteuid() == 0 else None
        self._bin = server_programs()

    def ports(self):
        return ("postgres",)

    def prepare(self):
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        settings = {**SETTINGS, "port": self.stack.ports.get("postgres"), **self.settings}
        lines = [f"{key} = '{value}'\n" for key, value in settings.items()]
        self._write("countersign.conf", "".join(lines))
        self._write("pg_hba.conf", HOST_RULES)

    def command(self):
        return [self._bin / "postgres", "-D", self.data]

    def serves(self):
        ready = subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port()), "-d", "postgres"], check=False)
        return ready.returncode == 0

    def port(self):
        return self.stack.ports.get("postgres")

    def as_user(self):
        """What a command of the server's user begins with."""
        if not self.user:
            return []
        return ["setpriv", f"--reuid={self.user}", f"--regid={_group_id(self.user)}", "--init-groups", "--"]

    def wait_ready(self):
        super().wait_ready()
        self._make_roles()

    def endpoints(self):
        return {"DATABASE_URL": self.url()}

    def url(self, role=OWNER):
        """URL of the services' database for one of the server's roles."""
        secret = self.stack.secrets.get(f"{role}.password")
        return f"postgresql://{role}:{secret}@127.0.0.1:{self.stack.ports.get('postgres')}/{DATABASE}"

    def conninfo(self, database="postgres"):
        secret = self.stack.secrets.get(f"{OWNER}.password")
        return (f"host=127.0.0.1 port={self.stack.ports.get('postgres')} user={OWNER} "
                f"password={secret} dbname={database}")

    def query(self, sql, database=DATABASE):
        """Rows of one statement as lists of text, through psql."""
        return run_sql(self.conninfo(database), sql)

    def _make_roles(self):
        """Roles belong to the cluster, so they are made once here and not by racing migrations."""
        marker = self.stack.run_dir / "postgres" / "roles"
        if marker.exists():
            return
        statements = role_statements(self.stack.secrets, "postgres")
        run_sql(self.conninfo(), statements)
        if not run_sql(self.conninfo(), f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            run_sql(self.conninfo(), f"CREATE DATABASE {DATABASE}")
        marker.touch()

    def _make_cluster(self):
        self._choose_folder()
        password_file = self.data.parent / "initdb.password"
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        write_private(password_file, self.stack.secrets.get(f"{OWNER}.password"))
        self._own(self.data)
        self._own(password_file)
        command = [*self.as_user(), self._bin / "initdb", "-D", self.data, "-U", OWNER, "-A", "scram-sha-256", "--encoding=UTF8",
                   "--locale=C.UTF-8", "--data-checksums", "--no-sync", f"--pwfile={password_file}"]
        made = subprocess.run(command, cwd=self.data, capture_output=True, text=True, check=False)
        password_file.unlink()
        if made.returncode != 0:
            shutil.rmtree(self.data)
            raise StackError(f"postgres: initdb failed:\n{made.stderr.strip()}")
        (self.stack.run_dir / "postgres" / "roles").unlink(missing_ok=True)
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write("include 'countersign.conf'\n")

    @property
    def data(self):
        link = self.stack.run_dir / "postgres" / "data"
        return pathlib.Path(os.readlink(link)) if link.is_symlink() else link

    @property
    def folder(self):
        return self.data

    def _choose_folder(self):
        """Data lies in the run folder, unless the server's user cannot reach that (root's home):
        then in /var/tmp, with a link to it from the run folder."""
        home = self.stack.run_dir / "postgres"
        home.mkdir(parents=True, exist_ok=True)
        link = home / "data"
        if link.is_symlink() or not self.user or _can_reach(self.user, home):
            return
        tag = hashlib.sha256(str(self.stack.run_dir).encode()).hexdigest()[:12]
        outside = pathlib.Path("/var/tmp") / f"countersign-postgres-{tag}"
        if outside.is_symlink() or outside.exists() and outside.stat().st_uid not in (0, pwd.getpwnam(self.user).pw_uid):
            raise StackError(f"postgres: {outside} exists and is not ours")
        shutil.rmtree(outside, ignore_errors=True)
        outside.mkdir(mode=0o700)
        self._own(outside)
        link.symlink_to(outside / "data")

    def remove_data(self):
        """Deletes the cluster; it must be stopped."""
        if self.data.parent.parent == pathlib.Path("/var/tmp"):
            shutil.rmtree(self.data.parent, ignore_errors=True)
        shutil.rmtree(self.stack.run_dir / "postgres", ignore_errors=True)

    def _write(self, name, text):
        write_private(self.data / name, text)
        self._own(self.data / name)

    def _own(self, path):
        if self.user:
            shutil.chown(path, self.user, _group_id(self.user))


def run_sql(conninfo, sql):
    """Rows of SQL given on standard input, where no process list shows it."""
    done = subprocess.run(
        [server_programs() / "psql", "-X", "-q", "-At", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        input=sql, text=True, capture_output=True, check=False, env=libpq_environment(conninfo))
    if done.returncode != 0:
        raise StackError(f"postgres: {done.stderr.strip()}")
    return [line.split("\x1f") for line in done.stdout.splitlines()]


def role_statements(secrets, tag):
    """Makes the services' roles where they lack and gives them the passwords of this stack."""
    statements = []
    for role in ROLES:
        options = "LOGIN REPLICATION" if role.endswith("relay") else "LOGIN"
        verifier = scram_verifier(secrets.get(f"{role}.password"))
        statements.append(
            f"DO ${tag}$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN "
            f"CREATE ROLE {role} {options}; END IF; END ${tag}$;\n"
            f"ALTER ROLE {role} PASSWORD '{verifier}';\n")
    return "".join(statements)


def libpq_environment(conninfo):
    """The connection by environment variables: a password in arguments would show in `ps`."""
    if conninfo.startswith(("postgres://", "postgresql://")):
        url = urllib.parse.urlsplit(conninfo)
        given = {"PGHOST": url.hostname, "PGPORT": url.port and str(url.port), "PGDATABASE": url.path.strip("/"),
                 "PGUSER": url.username and urllib.parse.unquote(url.username),
                 "PGPASSWORD": url.password and urllib.parse.unquote(url.password)}
        options = dict(urllib.parse.parse_qsl(url.query))
    else:
        given, options = {}, dict(word.split("=", 1) for word in conninfo.split())
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
             "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}
    given.update({names[key]: value for key, value in options.items() if key in names})
    return {**os.environ, **{key: value for key, value in given.items() if value}}


def server_programs():
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[4]))
    if folders:
        return folders[-1].parent
    found = shutil.which("postgres")
    if not found:
        raise StackError("postgres: no PostgreSQL server is installed; `make setup` does that")
    return pathlib.Path(found).parent


def _unprivileged_user():
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise StackError("postgres: started as root, and there is no user postgres or nobody to run the server as")


def _group_id(user):
    return pwd.getpwnam(user).pw_gid


def _can_reach(user, folder):
    probe = subprocess.run(["setpriv", f"--reuid={user}", f"--regid={_group_id(user)}", "--init-groups", "--",
                            "test", "-x", str(folder)], stderr=subprocess.DEVNULL, check=False)
    return probe.returncode == 0
