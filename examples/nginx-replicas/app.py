"""Says which replica it is."""

import http.server
import socket


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(socket.gethostname().encode())


http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()
