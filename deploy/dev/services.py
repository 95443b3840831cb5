"""Countersign's own processes and the Twilio fake as parts of the stack."""
import socket
import urllib.error
import urllib.request

from deploy.dev.configuration import flattened, yaml_text
from deploy.dev.part import Part
from deploy.dev.secret_store import write_private

LONGEST_SOCKET_PATH = 107
ACCOUNT_SID = "AC00000000000000000000000000000001"
VERIFY_SERVICES = {"signup": "VA00000000000000000000000000000001", "login": "VA00000000000000000000000000000002"}


class TwilioFake(Part):
    name = "twilio"
    ready_seconds = 20

    def ports(self):
        return ("twilio",)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.stack.ports.get('twilio')}"

    def endpoints(self):
        return {"TWILIO_FAKE": self.url}

    def command(self):
        options = {"listen": f"127.0.0.1:{self.stack.ports.get('twilio')}", "account-sid": ACCOUNT_SID,
                   "auth-token": self.stack.secrets.get("twilio.api_secret"), **self.settings}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        services = [word for sid in VERIFY_SERVICES.values() for word in ("--verify-service", sid)]
        return [self.stack.binary("twilio-fake"), *words, *services]

    def serves(self):
        return _answer(f"{self.url}/_fake/stats")[0] == 200


class Service(Part):
    """A process with a YAML file, secrets in files, and /healthz.

    settings: keys of its YAML, dotted or nested, that win over the stack's; None: the service's own
    default.
    """
    binary = ""
    ready_seconds = 60
    stop_seconds = 15
    _trouble = ""

    def ports(self):
        return (f"{self.name}_metrics",)

    def keys(self):
        """Its configuration by dotted name."""
        return {}

    def secret_files(self):
        """Variable -> the file it names."""
        return {f"{self.name.upper()}_DATABASE_URL_FILE": self.stack.secrets.keep(
            f"{self.name}.database_url", self.stack.server("postgres").url(f"countersign_{self.name}"))}

    def address(self, port):
        return f"127.0.0.1:{self.stack.ports.get(port)}"

    @property
    def metrics(self):
        return self.address(f"{self.name}_metrics")

    def endpoints(self):
        return {f"{self.name.upper()}_METRICS": self.metrics}

    def prepare(self):
        keys = {"metrics.listen": self.metrics, **flattened(self.keys()), **flattened(self.settings)}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_private(self._file, yaml_text(keys))

    def command(self):
        return [self.stack.binary(self.binary), "--strict", "--config", self._file]

    def base_environment(self):
        return {name: str(file) for name, file in self.secret_files().items()}

    def serves(self):
        status, text = _answer(f"http://{self.metrics}/healthz")
        self._trouble = text.strip() if status else "no answer from /healthz"
        return status == 200

    def trouble(self):
        return self._trouble

    @property
    def _file(self):
        return self.stack.run_dir / "config" / f"{self.name}.yaml"


class GrpcService(Service):
    def ports(self):
        return (f"{self.name}_grpc", *super().ports())

    @property
    def grpc(self):
        return self.address(f"{self.name}_grpc")

    def endpoints(self):
        return {f"{self.name.upper()}_GRPC": self.grpc, **super().endpoints()}

    def serves(self):
        return super().serves() and _accepts(self.stack.ports.get(f"{self.name}_grpc"))


class Auth(GrpcService):
    name = "auth"
    binary = "countersign-auth"
    servers = ("postgres",)
    after = ("migrations", "keys", "certificates")

    def keys(self):
        tls = self.stack.tls_dir
        return {
            "grpc.listen": self.grpc,
            "grpc.reflection": True,
            "otp.target": self.address("otp_grpc"),
            "otp.tls.ca": str(tls / "ca.pem"),
            "otp.tls.certificate": str(tls / "auth.pem"),
            "otp.tls.key": str(tls / "auth.key"),
            "otp.tls.server_name": "otp",
            "keys.directory": str(self.stack.keys_dir),
            "tokens.issuer": "https://countersign.localhost",
            "tokens.audiences": ["fleet"],
        }

    def endpoints(self):
        return {**super().endpoints(), "KEYS_DIR": str(self.stack.keys_dir), "TLS_DIR": str(self.stack.tls_dir)}


class Otp(GrpcService):
    name = "otp"
    binary = "countersign-otp"
    servers = ("postgres", "kafka")
    after = ("migrations", "topics", "keys", "certificates", "twilio")

    def keys(self):
        tls = self.stack.tls_dir
        return {
            "grpc.listen": self.grpc,
            "grpc.tls.certificate": str(tls / "otp.pem"),
            "grpc.tls.key": str(tls / "otp.key"),
            "grpc.tls.client_ca": str(tls / "ca.pem"),
            "kafka.brokers": self.stack.server("kafka").address,
            "keys.directory": str(self.stack.keys_dir),
            # Complete for either provider; settings={"otp": {"provider": "twilio-verify"}} changes it.
            "provider": "twilio-messaging",
            "twilio.account_sid": ACCOUNT_SID,
            "twilio.from": "Countersign",
            "twilio.verify_services": VERIFY_SERVICES,
            "twilio.verify_url": self.stack.server("twilio").url,
            "twilio.api_url": self.stack.server("twilio").url,
            "twilio.allow_insecure_urls": True,
        }

    def secret_files(self):
        return {**super().secret_files(), "OTP_TWILIO_API_SECRET_FILE": self.stack.secrets.path("twilio.api_secret")}

    def endpoints(self):
        return {**super().endpoints(), "TLS_DIR": str(self.stack.tls_dir)}


class Relay(Service):
    name = "relay"
    binary = "countersign-relay"
    servers = ("postgres", "kafka")
    after = ("migrations", "topics")

    def keys(self):
        return {"kafka.brokers": self.stack.server("kafka").address, "admin.socket": self.admin_socket}

    @property
    def admin_socket(self):
        """None where the run folder lies so deep that a socket's address cannot hold the path."""
        path = str(self.stack.run_dir / f"{self.name}.sock")
        return path if len(path.encode()) <= LONGEST_SOCKET_PATH else None

    def endpoints(self):
        socket_path = {f"{self.name.upper()}_ADMIN_SOCKET": self.admin_socket} if self.admin_socket else {}
        return {**super().endpoints(), **socket_path}


def _answer(url):
    """Status and text of a GET; (0, why) if there is none."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def _accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
