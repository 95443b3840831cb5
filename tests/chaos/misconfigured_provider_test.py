"""A provider that suddenly refuses everything burns no code: otp stops asking, says so, and goes on when it is mended."""
import time
import urllib.error
import urllib.request

from tests.e2e.conftest import Person
from tests.support.observe import code_on_phone, get_json, query, wait_for


def health(env):
    try:
        with urllib.request.urlopen(f"http://{env['OTP_METRICS']}/healthz", timeout=2) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_credentials_revoked_at_run_time_burn_no_code(env, auth, faults):
    faults({"status": 401, "code": 20003})
    person = Person(auth, env["TWILIO_FAKE"])
    person.sign_up()
    wait_for(lambda: "misconfigured" in health(env), "health to say why nothing is sent")
    asked = get_json(f"{env['TWILIO_FAKE']}/_fake/stats")
    later = [Person(auth, env["TWILIO_FAKE"]) for _ in range(5)]
    for one in later:
        one.sign_up()
    time.sleep(2)
    creates = [stats["calls"].get("CreateMessage", 0) for stats in (asked, get_json(f"{env['TWILIO_FAKE']}/_fake/stats"))]
    assert creates[0] == creates[1], "nobody is asked any more"
    assert query(env["DATABASE_URL"], "SELECT count(*) FROM otp.event_log WHERE type = 'otp.failed'") == [(0,)]

    urllib.request.urlopen(urllib.request.Request(f"{env['TWILIO_FAKE']}/_fake/faults", method="DELETE")).read()
    for one in (person, *later):
        assert code_on_phone(env["TWILIO_FAKE"], one.phone, 1, seconds=30)
    wait_for(lambda: health(env).strip() == "ok", "health to be well again")
