"""People and sessions loaded by COPY, for benchmarks that need many of them."""
import subprocess
import uuid

import psycopg

from bench import frame

USERS = "COPY auth.users (id, phone, status, first_name, last_name, country, event_seq) FROM STDIN"
ISSUER, AUDIENCE = "https://countersign.localhost", "fleet"  # as the development stack has them
SESSIONS = "COPY auth.sessions (id, user_id, idle_expires_at, expires_at, amr, client_id) FROM STDIN"


def load_users(database, count, first_number=0):
    """Active accounts with the numbers +49151 and first_number on; returns their ids."""
    ids = [uuid.uuid4() for _ in range(count)]
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        with cursor.copy(USERS) as rows:
            for number, user_id in enumerate(ids, first_number):
                rows.write_row((user_id, f"+49151{number:08d}", "active", "Ada", "Lovelace", "DE", 0))  # no event tells of them
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE auth.users")
    return ids


def load_sessions(database, user_ids):
    """One open session each; returns their ids."""
    ids = [uuid.uuid4() for _ in user_ids]
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        (end,) = connection.execute("SELECT now() + interval '1 day'").fetchone()
        with cursor.copy(SESSIONS) as rows:
            for session_id, user_id in zip(ids, user_ids):
                rows.write_row((session_id, user_id, end, end, "otp sms", "bench"))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE auth.sessions")
    return ids


def mint_tokens(variables, user_ids, session_ids, file):
    """Writes one access token a line, signed with the key of the stack that has these variables."""
    pairs = "".join(f"{user} {session}\n" for user, session in zip(user_ids, session_ids))
    minted = subprocess.run([frame.BIN / "countersign-mint", f"{variables['KEYS_DIR']}/signing", ISSUER, AUDIENCE], input=pairs,
                            capture_output=True, text=True, check=True)
    file.write_text(minted.stdout)
