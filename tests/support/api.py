"""gRPC clients of the services for black-box tests, generated from api/ once per content of it."""
import hashlib
import importlib
import importlib.resources
import pathlib
import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _generate():
    protos = sorted((ROOT / "api").rglob("*.proto"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in protos)).hexdigest()[:12]
    out = ROOT / ".run" / f"stubs-{digest}"
    if not (out / "complete").exists():
        out.mkdir(parents=True, exist_ok=True)
        well_known = importlib.resources.files("grpc_tools") / "_proto"
        arguments = ["protoc", f"-I{ROOT / 'api'}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
        if protoc.main(arguments + [str(p.relative_to(ROOT / "api")) for p in protos]) != 0:
            raise RuntimeError("protoc failed")
        (out / "complete").touch()
    sys.path.insert(0, str(out))


_generate()
auth_pb2 = importlib.import_module("countersign.auth.v1.auth_pb2")
auth_grpc = importlib.import_module("countersign.auth.v1.auth_pb2_grpc")
otp_pb2 = importlib.import_module("countersign.otp.v1.otp_pb2")
otp_grpc = importlib.import_module("countersign.otp.v1.otp_pb2_grpc")
events_pb2 = importlib.import_module("countersign.events.v1.events_pb2")


class Refused(Exception):
    """A refused call: its canonical code, reason, wait in seconds and the fields at fault; `told` is
    everything that went over the wire."""

    def __init__(self, error):
        self.code = error.code()
        self.message = error.details()
        self.reason, self.wait, self.fields = None, None, []
        self.told = f"{self.code.name} {self.message}"
        for key, value in error.trailing_metadata() or ():
            self.told += f" {key}={value.decode(errors='replace') if isinstance(value, bytes) else value}"
            if key == "grpc-status-details-bin":
                self._read(status_pb2.Status.FromString(value))
        super().__init__(f"{self.code.name} {self.reason} {self.fields or ''} {self.message}")

    def _read(self, status):
        for detail in status.details:
            info, retry, bad = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info):
                self.reason = info.reason
            elif detail.Unpack(retry):
                self.wait = retry.retry_delay.ToTimedelta().total_seconds()
            elif detail.Unpack(bad):
                self.fields = [violation.field for violation in bad.field_violations]


class Auth:
    """AuthService as keyword calls: Auth(address).SignupWithPhoneNumber(phone_number=...)."""

    def __init__(self, address, timeout=10):
        self.channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self._stub = auth_grpc.AuthServiceStub(self.channel)
        self._timeout = timeout

    def __getattr__(self, method):
        request_type = getattr(auth_pb2, f"{method}Request")
        call = getattr(self._stub, method)

        def invoke(bearer=None, timeout=None, metadata=(), **fields):
            if bearer:
                metadata = (*metadata, ("authorization", f"Bearer {bearer}"))
            try:
                return call(request_type(**fields), timeout=timeout or self._timeout, metadata=metadata)
            except grpc.RpcError as error:
                raise Refused(error) from None

        return invoke

    def close(self):
        self.channel.close()


def otp_channel(address, tls_dir, identity="auth"):
    """A mutual TLS channel to the otp service; identity None presents no client certificate."""
    tls = pathlib.Path(tls_dir)
    credentials = grpc.ssl_channel_credentials(
        (tls / "ca.pem").read_bytes(),
        (tls / f"{identity}.key").read_bytes() if identity else None,
        (tls / f"{identity}.pem").read_bytes() if identity else None)
    return grpc.secure_channel(address, credentials, options=[("grpc.ssl_target_name_override", "otp")])
