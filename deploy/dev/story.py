"""The story of one person, step by step; every sentence of it is checked."""
import base64
import json
import statistics
import time

from deploy.dev.teller import Miss, shortened
from deploy.dev.witness import Phone, Records, Rows, headers_of
from tests.support.api import Auth, Refused

PHONE = "+491713920042"
SHOWN_HEADERS = ("ce_type", "ce_source", "ce_subject", "ce_id", "ce_time", "ce_sequence", "traceparent")


class Story:
    def __init__(self, stack, teller):
        variables = stack.variables()
        self._teller = teller
        self._auth = Auth(variables["AUTH_GRPC"])
        self._rows = Rows(stack.server("postgres"))
        self._records = Records(variables["KAFKA_BROKERS"])
        self._phone = Phone(variables["TWILIO_FAKE"], PHONE)
        self._texts = 0

    def close(self):
        self._records.close()
        self._auth.close()

    def tell(self):
        called_at, verification = self._sign_up()
        events = self._committed_rows()
        self._records_in_kafka(events)
        message = self._code_arrives()
        user_id, first = self._verify(verification, message["code"])
        second = self._log_in(user_id)
        self._look_into(second, user_id)
        renewed = self._refresh(second)
        self._log_out(renewed)
        self._history(user_id, (first.session_id, second.session_id))
        delays, to_phone = self._records.delays(), message["received_at_us"] / 1000 - called_at * 1000
        self._teller.end(f"commit to Kafka {statistics.median(delays):.1f} ms (median of {len(delays)} records, "
                         f"slowest {max(delays):.1f} ms), call to delivered code {to_phone:.0f} ms")

    def _sign_up(self):
        tell = self._teller
        tell.step("Ada signs up", "SignupWithPhoneNumber")
        called_at = time.time()
        verification = self._auth.SignupWithPhoneNumber(
            phone_number=PHONE, first_name="Ada", last_name="Lovelace").verification
        tell.show("phone number", f"{PHONE}  (made up; nothing leaves this machine)")
        tell.show("verification_id", shortened(verification.verification_id))
        tell.show("expires_at", verification.expires_at.ToJsonString())
        tell.show("resend_after", verification.resend_after.ToJsonString())
        tell.expect("the verification id is 128 random bits", len(verification.verification_id), 22)
        return called_at, verification

    def _committed_rows(self):
        tell = self._teller
        tell.step("What one transaction committed", "PostgreSQL")
        user_id, phone, status = self._rows.user(PHONE)
        tell.show("auth.users", f"{user_id}  {phone}  {status}")
        events = self._rows.events_of_the_users_transaction(user_id)
        for event in events:
            tell.show("auth.event_log", f"{event.type} -> topic {event.topic}, key {event.key}, seq {event.seq}")
        tell.expect("the account waits for its number to be verified", status, "pending")
        tell.expect("the account's row and both events are of one transaction",
                    sorted(event.topic for event in events), ["user.created", "verification"])
        return events

    def _records_in_kafka(self, events):
        tell = self._teller
        tell.step("What the relay read from the WAL and put into Kafka")
        for event in sorted(events, key=lambda event: event.topic):
            record = self._records.of(event)
            headers = headers_of(record)
            tell.show("topic", f"{record.topic()}, partition {record.partition()}, offset {record.offset()}")
            for name in SHOWN_HEADERS:
                tell.show(f"  {name}", headers.get(name, "missing"))
            value = {name: shortened(text) if name.startswith("sealed") else text
                     for name, text in json.loads(record.value()).items()}
            tell.show("  value", json.dumps(value))
            tell.expect("byte for byte what was committed, under the same key",
                        (record.value().decode(), record.key().decode()), (event.payload, event.key))
            tell.expect("named by its event id and type", (headers["ce_id"], headers["ce_type"]), (event.event_id, event.type))
            self._tells_nothing_personal(record)

    def _tells_nothing_personal(self, record):
        text = record.value().decode() + str(headers_of(record))
        self._teller.expect("neither the number nor the name can be read in it",
                            [word for word in (PHONE[1:], "Ada", "Lovelace") if word in text], [])

    def _code_arrives(self):
        tell = self._teller
        tell.step("The code arrives", "Twilio fake")
        self._texts += 1
        message = self._phone.message(self._texts)
        tell.show("the phone shows", f"\"{message['text']}\"")
        tell.expect("a code of six digits, sent once",
                    (message["code"].isdigit(), len(message["code"]), self._phone.count()), (True, 6, self._texts))
        return message

    def _verify(self, verification, code):
        tell = self._teller
        tell.step("Ada types the code", "VerifyPhoneNumber")
        answer = self._auth.VerifyPhoneNumber(verification_id=verification.verification_id, code=code)
        tell.show("user_id", answer.user_id)
        tell.show("session_id", answer.tokens.session_id)
        user_id, _, status = self._rows.user(PHONE)
        tell.expect("it is the account of the sign-up, active now", (answer.user_id, status), (user_id, "active"))
        self._refused("the code is good once", "CODE_REJECTED", self._auth.VerifyPhoneNumber,
                      verification_id=verification.verification_id, code=code)
        return answer.user_id, answer.tokens

    def _log_in(self, user_id):
        tell = self._teller
        tell.step("Later she logs in", "LoginWithPhoneNumber, ValidatePhoneNumberLogin")
        verification = self._auth.LoginWithPhoneNumber(phone_number=PHONE).verification
        self._texts += 1
        message = self._phone.message(self._texts)
        tell.show("the phone shows", f"\"{message['text']}\"")
        answer = self._auth.ValidatePhoneNumberLogin(verification_id=verification.verification_id, code=message["code"])
        tell.expect("the same account", answer.user_id, user_id)
        return answer.tokens

    def _look_into(self, tokens, user_id):
        tell = self._teller
        tell.step("Her tokens", "GetJwks, IntrospectToken, GetProfile")
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
                          for part in tokens.access_token.split(".")[:2])
        tell.show("access token", shortened(tokens.access_token))
        for name, value in claims.items():
            tell.show(f"  {name}", json.dumps(value))
        tell.show("refresh token", shortened(tokens.refresh_token))
        tell.expect("the claims name her and her session", (claims["sub"], claims["sid"]), (user_id, tokens.session_id))
        tell.expect("the key that signed it is published",
                    header["kid"] in [key.kid for key in self._auth.GetJwks().keys], True)
        tell.expect("a service that asks hears that it is good",
                    self._auth.IntrospectToken(token=tokens.access_token).active, True)
        profile = self._auth.GetProfile(bearer=tokens.access_token).profile
        tell.expect("it opens her profile", (profile.first_name, profile.phone_number), ("Ada", PHONE))

    def _refresh(self, tokens):
        tell = self._teller
        tell.step("The app renews them", "RefreshToken")
        renewed = self._auth.RefreshToken(refresh_token=tokens.refresh_token).tokens
        tell.show("access token", shortened(renewed.access_token))
        tell.show("refresh token", shortened(renewed.refresh_token))
        tell.expect("the session stays", renewed.session_id, tokens.session_id)
        tell.expect("the tokens are others",
                    (renewed.access_token != tokens.access_token, renewed.refresh_token != tokens.refresh_token), (True, True))
        return renewed

    def _log_out(self, tokens):
        tell = self._teller
        tell.step("She logs out", "Logout")
        self._auth.Logout(bearer=tokens.access_token)
        tell.expect("the access token is good no more, at once",
                    self._auth.IntrospectToken(token=tokens.access_token).active, False)
        self._refused("nor is the refresh token", "SESSION_ENDED", self._auth.RefreshToken, refresh_token=tokens.refresh_token)

    def _history(self, user_id, sessions):
        tell = self._teller
        tell.step("The same history, read from Kafka", "topic auth.log")
        committed = [event for event in self._rows.events_of(user_id) if event.topic == "auth.log"]
        told = []
        for event in committed:
            record = self._records.of(event)
            headers = headers_of(record)
            told.append((record.partition(), record.offset(), int(headers["ce_sequence"]), headers["ce_type"]))
            tell.show(f"  {headers['ce_time'][11:23]}", f"#{headers['ce_sequence']} {headers['ce_type']}")
        tell.expect("all of it, numbered without a gap", [row[2:] for row in told], [
            (2, "user.verified"), (3, "session.logged_in"), (4, "session.login_failed"), (5, "session.logged_in"),
            (6, "session.refreshed"), (7, "session.logged_out")])
        tell.expect("in one partition, in the order of the commits", sorted(told), told)
        tell.expect("it names both sessions", [json.loads(event.payload)["session_id"] for event in committed
                                               if event.type == "session.logged_in"], list(sessions))

    def _refused(self, what, reason, call, **fields):
        try:
            call(**fields)
        except Refused as refusal:
            self._teller.expect(f"{what}: {reason}", refusal.reason, reason)
        else:
            raise Miss(f"{what}: a refusal with {reason} was expected, and the call went through")
