"""A pytest plugin that points the suites of Python clients at Midge: PORT, WS_PORT and TLS_PORT say where it listens."""

import functools
import os
import sys
from types import ModuleType, SimpleNamespace


def stand_in_for_the_eclipse_test_broker():
    """paho-mqtt's suite starts that broker in a thread, and asks it for its port."""
    socket = SimpleNamespace(getsockname=lambda: ("127.0.0.1", int(os.environ["PORT"])))
    server = SimpleNamespace(socket=socket, shutdown=lambda: None)
    package, brokers = ModuleType("mqtt"), ModuleType("mqtt.brokers")
    package.brokers = brokers
    brokers.listeners = SimpleNamespace(TCPListeners=SimpleNamespace(server=server))
    brokers.run = lambda config: None
    sys.modules.update({"mqtt": package, "mqtt.brokers": brokers})


def lead_aiomqtt_here():
    """Its suite names a public broker, with the ports of that."""
    from aiomqtt.client import Client

    ports = {1883: "PORT", 8080: "WS_PORT", 8883: "TLS_PORT"}
    connect = Client.__init__

    @functools.wraps(connect)
    def connect_here(self, hostname, port=1883, **named):
        if hostname == "test.mosquitto.org":
            hostname, port = "127.0.0.1", int(os.environ[ports[port]])
        connect(self, hostname, port, **named)

    Client.__init__ = connect_here


stand_in_for_the_eclipse_test_broker()
lead_aiomqtt_here()
