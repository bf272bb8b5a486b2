"""Serves git repositories over TLS: git_https.py PORT ROOT USER PASSWORD CERTIFICATE KEY LOG.

Real git answers (`git http-backend`, a CGI program). `/redirect/PORT/PATH` sends the client to another port of this machine.
"""

import base64
import http.server
import os
import ssl
import subprocess
import sys
import threading

PORT, ROOT, USER, PASSWORD, CERTIFICATE, KEY, LOG = sys.argv[1:8]
WANTED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve()

    def do_POST(self):
        self.serve()

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, headers, content=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def serve(self):
        body = self.body()
        given = self.headers.get("Authorization", "-")
        with LOCK, open(LOG, "a") as log:
            log.write(f"{self.headers.get('Host')} {self.command} {self.path} {given}\n")
        path, _, query = self.path.partition("?")
        if path.startswith("/redirect/"):
            _, _, port, rest = path.split("/", 3)
            self.answer(302, [("Location", f"https://127.0.0.1:{port}/{rest}?{query}")])
            return
        if PASSWORD and given != WANTED:
            self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')])
            return
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": USER,
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.answer(status, [(name, value) for name, value in headers if name != "Status"], content)


server = http.server.ThreadingHTTPServer(("0.0.0.0", int(PORT)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
