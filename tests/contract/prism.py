"""Stoplight Prism as a validating proxy: a second opinion on the same documents, by other people."""
import contextlib
import json
import pathlib
import socket
import subprocess
import time

from tests.contract.openapi import FILES

BINARY = pathlib.Path(__file__).resolve().parents[2] / ".run/toolchain/npm-full/node_modules/.bin/prism"


def prepared(text):
    """The document with what Prism cannot digest left out. A `nullable` without `type` makes it skip all
    bodies without a word; the links of ListMessage are relative although the document calls them `uri`."""
    def without_bare_nullable(part):
        if isinstance(part, list):
            return [without_bare_nullable(item) for item in part]
        if not isinstance(part, dict):
            return part
        bare = "nullable" in part and "type" not in part
        return {key: without_bare_nullable(value) for key, value in part.items() if not (bare and key == "nullable")}

    document = without_bare_nullable(text)
    for path, item in document["paths"].items():
        if path.endswith("/Messages.json"):
            answer = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            for schema in answer["properties"].values():
                if schema.get("format") == "uri":
                    del schema["format"]
    return document


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_it_listens(process, port, log):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Prism does not listen: {log.read_text(encoding='utf-8')[-2000:]}")


@contextlib.contextmanager
def proxy(folder, documents, name, upstream):
    """Prism before `upstream`, answering with an error to whatever breaks the document; yields its URL."""
    document = folder / name
    document.write_text(json.dumps(prepared(json.loads((documents / name).read_text(encoding="utf-8")))), encoding="utf-8")
    log = folder / f"{name}.log"
    port = _free_port()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen([BINARY, "proxy", document, upstream, "--errors", "--host", "127.0.0.1",
                                    "--port", str(port)], stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_it_listens(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def proxies(folder, documents, upstream):
    """The two proxies, one for each document: the URLs of Verify and of the messages API."""
    with proxy(folder, documents, FILES[0], upstream) as verify, proxy(folder, documents, FILES[1], upstream) as api:
        yield verify, api
