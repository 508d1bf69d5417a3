"""How the programs of this folder serve: at a free port of this machine, which they name."""

from werkzeug.serving import make_server


def listen(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print("listening on", f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
