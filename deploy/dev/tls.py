"""An authority and certificates for the services of one stack, made at run time."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from deploy.dev.process import StackError

# The first DNS name is the identity. `reporting` stands for any other service of a fleet: known to
# the authority, and allowed nothing that is not for everybody.
IDENTITIES = ("auth", "otp", "reporting")
DAYS = 30


def ensure(folder):
    """Makes ca.pem and <identity>.pem, .key in the folder unless they are there and good for another
    two days."""
    folder = pathlib.Path(folder)
    if _is_good(folder):
        return
    half = pathlib.Path(tempfile.mkdtemp(prefix="tls-", dir=folder.parent))
    try:
        _make_all(half)
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _is_good(folder):
    if not all((folder / f"{name}.key").exists() for name in IDENTITIES):
        return False
    look = subprocess.run(["openssl", "x509", "-checkend", str(2 * 86400), "-noout", "-in", folder / "ca.pem"],
                          capture_output=True, check=False)
    return look.returncode == 0


def _make_all(folder):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl("req", "-x509", *key, "-days", str(DAYS), "-subj", "/CN=Countersign development",
             "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    for name in IDENTITIES:
        request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1\n")
        _openssl("req", *key, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", request)
        _openssl("x509", "-req", "-days", str(DAYS), "-in", request, "-CA", folder / "ca.pem",
                 "-CAkey", folder / "ca.key", "-CAcreateserial", "-extfile", extensions,
                 "-out", folder / f"{name}.pem")
        request.unlink()
        extensions.unlink()
    # Whoever holds the authority's key could become anybody; nothing more is to be signed.
    (folder / "ca.key").unlink()
    for key_file in folder.glob("*.key"):
        os.chmod(key_file, 0o600)


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"tls: openssl {arguments[0]} failed:\n{done.stderr.strip()}")
