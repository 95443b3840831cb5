"""Passwords of the development stack: random, one file each, readable by their owner only."""
import base64
import hashlib
import hmac
import os
import secrets


class SecretStore:
    def __init__(self, run_dir):
        self._folder = run_dir / "secrets"

    def path(self, name):
        """The file of a secret, made at the first call."""
        file = self._folder / name
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(file, secrets.token_urlsafe(24))
        return file

    def get(self, name):
        return self.path(name).read_text().strip()

    def peek(self, name):
        """The secret, or None if it was never made."""
        file = self._folder / name
        return file.read_text().strip() if file.exists() else None

    def keep(self, name, text):
        """Writes a secret that something else decides, for example a URL, and returns its file."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._folder / name
        write_private(file, text)
        return file


def write_private(file, text):
    """Writes a file that is never, not even for a moment, readable by others."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    os.chmod(file, 0o600)


def scram_verifier(password, iterations=4096):
    """What PostgreSQL keeps of a password (RFC 5803), so that the password itself is never in a
    statement."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()

    def text(data):
        return base64.b64encode(data).decode()

    return f"SCRAM-SHA-256${iterations}:{text(salt)}${text(stored_key)}:{text(server_key)}"
