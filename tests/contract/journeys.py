"""What the otp service does with a provider, in every form that makes a request of its own."""
import itertools

_numbers = itertools.count(15112345000)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def new_phone():
    return f"+49{next(_numbers)}"


def sent(client, to, **fields):
    outcome = client.order("send", to=to, **fields)
    assert outcome["status"] == "sent", outcome
    return outcome["sid"]


def use_verify(client, fake):
    """Through all operations of Verify that we use."""
    assert client.order("self_check")["status"] == "ready"
    phone = new_phone()
    first = sent(client, phone, locale="pt-BR", traceparent=TRACE)
    second = sent(client, phone, supersedes_sid=first, supersedes_unknown=True)
    code = fake.code(phone)
    wrong = "000001" if code == "000000" else "000000"
    assert client.order("check", sid=second, code=wrong)["status"] == "wrong"
    assert client.order("check", sid=second, code=code)["status"] == "approved"
    assert client.order("check", sid=second, code=code)["status"] == "gone"
    assert client.order("check", sid=second, code=code, answer_was_lost=True)["status"] == "approved"
    for channel in ("sms", "whatsapp", "voice"):
        sid = sent(client, new_phone(), channel=channel, purpose="login")
        assert client.order("cancel", sid=sid, purpose="login")["status"] == "done"


def use_messaging(client):
    """Through all operations of Messaging that we use."""
    assert client.order("self_check")["status"] == "ready"
    sent(client, new_phone(), code="482915")
    sent(client, new_phone(), code="482915", life_seconds=2, traceparent=TRACE)
    sent(client, new_phone(), code="482915", life_seconds=86400)
