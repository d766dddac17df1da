"""Fake programs for the demo: scripts in a folder that is put into PATH."""

from __future__ import annotations

import sys
from pathlib import Path

# Writes down how it was started. Then answers every request with 200, on the port of its configuration.
SERVING = """
import configparser, http.server, json, os, re, sys
from pathlib import Path
text = " ".join(sys.argv)
Path({written!r}).write_text(json.dumps({{"argv": sys.argv, "environ": dict(os.environ), "folder": os.getcwd()}}))
listen = re.search(r"--web.listen-address=\\S+?:(\\d+)", text)
if listen:
    port = int(listen[1])
else:
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(re.search(r"--config=(\\S+)", text)[1])
    port = ini.getint("server", "http_port")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if self.path == "/die":
            print("a last line\\x1b[2J", flush=True)
            os._exit(3)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
FAILING = "print('first'); print('no such flag: --x'); print(); raise SystemExit(4)"
# Ignores SIGTERM, and has started a program of its own.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"])
time.sleep(600)
"""


def program(folder: Path, name: str, script: str) -> Path:
    """Put a program into the folder; returns the file in which `SERVING` writes down how it was started."""
    folder.mkdir(exist_ok=True)
    written = folder / f"{name}.json"
    path = folder / name
    path.write_text(f"#!{sys.executable}\n" + (script.format(written=str(written)) if script == SERVING else script))
    path.chmod(0o755)
    return written
