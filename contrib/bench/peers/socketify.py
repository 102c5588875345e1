# SPDX-License-Identifier: ISC
# A broadcast server of socketify, which is uWebSockets for Python.
#	python3 socketify.py PORT
# "S topic" subscribes and is answered by "K"; "P topic payload" sends the
# payload to all who subscribed.
import sys
from importlib.metadata import version

# This file has the library's name.
sys.path.pop(0)
from socketify import App, CompressOptions, OpCode  # noqa: E402

if sys.argv[1] == "--version":
    print(f"socketify {version('socketify')}, Python {sys.version.split()[0]}")
    sys.exit(0)


def message(socket, data, opcode):
    if data[0] == "S":
        socket.subscribe(data[2:])
        socket.send("K", OpCode.TEXT)
        return
    topic, payload = data[2:].split(" ", 1)
    app.publish(topic, payload, OpCode.TEXT)


app = App()
app.ws(
    "/*",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 1024 * 1024,
        "max_backpressure": 256 * 1024 * 1024,
        "idle_timeout": 0,
        "message": message,
    },
)
app.listen({"host": "127.0.0.1", "port": int(sys.argv[1])})
app.run()
