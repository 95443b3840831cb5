"""An HTTP server that passes every request on to another one and keeps what went both ways."""
import http.client
import http.server
import threading
import urllib.parse

from tests.contract.openapi import Exchange

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Recorder:
    """`change_form`, if given, edits the form of a request before it is recorded and passed on: a client
    that does something wrong."""

    def __init__(self, upstream, change_form=None):
        self.exchanges = []
        self.change_form = change_form
        self._upstream = urllib.parse.urlsplit(upstream).netloc
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def pass_on(self, method, target, headers, body):
        form = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
        if self.change_form:
            form = self.change_form(form)
            body = urllib.parse.urlencode(form).encode()
        connection = http.client.HTTPConnection(self._upstream, timeout=10)
        try:
            connection.request(method, target, body or None,
                               {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        lower = {name.lower(): value for name, value in headers.items()}
        self.exchanges.append(Exchange(method=method, target=target, headers=lower, form=form, status=answer.status,
                                       content_type=answer.getheader("Content-Type", ""), body=text))
        return answer, text

    def _handler(self):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer, text = recorder.pass_on(self.command, self.path, self.headers, body)
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        return Handler
