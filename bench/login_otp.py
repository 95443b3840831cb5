"""Log-ins a second: LoginWithPhoneNumber and ValidatePhoneNumberLogin pairs with 64 clients.

The code check is a stub that approves at once over the same mutual TLS, so this measures what auth and
PostgreSQL do for a log-in. Open peers do 25 to 340 such calls a second on this kind of machine; the
figure is pairs a second, and the detail has calls.
"""
import contextlib
import subprocess

from bench import accounts, frame

NAME = "login_otp"
UNIT = "pairs/s, 64 clients"
AT_LEAST = 1700  # ten times the best open peer's 340 calls/s, two calls a pair
NUMBERS = 200_000


@contextlib.contextmanager
def approving_stub(variables):
    """An OtpService that approves everything, where the real one would be."""
    stub = subprocess.Popen([frame.BIN / "countersign-otp-stub", variables["OTP_GRPC"], variables["TLS_DIR"]],
                            stdout=subprocess.PIPE, text=True)
    try:
        if not stub.stdout.readline().strip():
            raise RuntimeError("the stub does not listen")
        yield
    finally:
        stub.terminate()
        stub.wait(10)


def run(rounds, seconds):
    values, detail = [], []
    with frame.running(seconds) as context:
        variables = context.stack.variables()
        context.stack.part("otp").stop()
        accounts.load_users(variables["DATABASE_URL"], NUMBERS)
        share = NUMBERS // (rounds + 1)
        with approving_stub(variables):
            context.load("login", clients=64, seconds=2, first=0, numbers=share)  # warm
            for index in range(1, rounds + 1):
                ours = context.load("login", clients=64, first=index * share, numbers=share)
                if ours["refused"]:
                    raise RuntimeError(f"refused: {ours['refused']}")
                values.append(ours["per_second"])
                detail.append({"pairs_per_second": round(ours["per_second"]), "calls_per_second": round(2 * ours["per_second"]),
                               "p50_ms": ours["p50_ms"], "p99_ms": ours["p99_ms"],
                               "load_client_cores": round(ours["load_client_cores"], 2)})
    return values, {"rounds": detail}
