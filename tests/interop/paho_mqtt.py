"""paho-mqtt against the broker: paho_mqtt.py CA_FILE (LISTENER PORT)..."""

import queue
import ssl
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PATIENCE = 20


class Client:
    """A client whose messages wait in a queue."""

    def __init__(self, way, name, version, clean=True, will=None):
        listener, port, authority = way
        self.messages = queue.Queue()
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        self.gone = threading.Event()
        self.present = None
        transport = "websockets" if listener.startswith("ws") else "tcp"
        arguments = {} if version == mqtt.MQTTv5 else {"clean_session": clean}
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=version, transport=transport, **arguments
        )
        if listener in ("tls", "wss"):
            self.client.tls_set(ca_certs=authority, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        if transport == "websockets":
            self.client.ws_set_options(path="/mqtt")
        if will:
            self.client.will_set(*will, qos=1)
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        if version == mqtt.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 60
            self.client.connect("localhost", port, clean_start=clean, properties=properties)
        else:
            self.client.connect("localhost", port)
        self.client.loop_start()
        assert self.connected.wait(PATIENCE), "no CONNACK"

    def on_connect(self, _client, _userdata, flags, reason, _properties):
        assert not reason.is_failure, reason
        self.present = flags.session_present
        self.connected.set()

    def subscribe(self, topic, qos):
        self.subscribed.clear()
        self.client.subscribe(topic, qos)
        assert self.subscribed.wait(PATIENCE), "no SUBACK"

    def publish(self, topic, payload, qos, retain=False):
        self.client.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE)

    def take(self):
        return self.messages.get(timeout=PATIENCE)

    def leave(self):
        self.client.disconnect()
        assert self.gone.wait(PATIENCE), "not disconnected"
        self.client.loop_stop()

    def vanish(self):
        """Cuts the connection without a DISCONNECT."""
        self.client.on_disconnect = None
        self.client._thread_terminate = True
        self.client._sock_close()


def every_quality(way, version):
    client = Client(way, "qualities", version)
    client.subscribe("all/#", 2)
    for qos in (0, 1, 2):
        client.publish(f"all/{qos}", f"message {qos}", qos)
        message = client.take()
        assert (message.topic, message.payload.decode(), message.qos) == (f"all/{qos}", f"message {qos}", qos), message
    large = b"x" * 300_000
    client.publish("all/large", large, 2)
    assert client.take().payload == large
    client.leave()


def retained(way, version):
    client = Client(way, "retained", version)
    client.publish("kept", "state", 1, retain=True)
    client.subscribe("kept", 1)
    message = client.take()
    assert message.payload == b"state" and message.retain
    client.publish("kept", "", 1, retain=True)
    client.leave()


def will(way, version):
    witness = Client(way, "witness", version)
    witness.subscribe("wills", 1)
    mortal = Client(way, "mortal", version, will=("wills", "gone"))
    mortal.vanish()
    assert witness.take().payload == b"gone"
    witness.leave()


def shared(way, version):
    members = [Client(way, f"member {number}", version) for number in range(2)]
    for member in members:
        member.subscribe("$share/group/work", 1)
    publisher = Client(way, "publisher", version)
    for number in range(10):
        publisher.publish("work", str(number), 1)
    taken = [members[number % 2].take().payload for number in range(10)]
    assert sorted(taken, key=int) == [str(number).encode() for number in range(10)], taken
    for client in (*members, publisher):
        client.leave()


def resumed(way, version):
    first = Client(way, "resumed", version, clean=False)
    first.subscribe("missed", 2)
    first.leave()
    publisher = Client(way, "publisher", version)
    for qos in (1, 2):
        publisher.publish("missed", str(qos), qos)
    publisher.leave()
    second = Client(way, "resumed", version, clean=False)
    assert second.present, "session present"
    assert [second.take().payload, second.take().payload] == [b"1", b"2"]
    second.leave()
    Client(way, "resumed", version).leave()


def options(way, version):
    if version != mqtt.MQTTv5:
        return
    client = Client(way, "options", version)
    client.subscribed.clear()
    client.client.subscribe("own", options=SubscribeOptions(qos=1, noLocal=True))
    assert client.subscribed.wait(PATIENCE)
    client.subscribe("all", 1)
    client.publish("own", "never heard", 1)
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("key", "value")]
    properties.ContentType = "text/plain"
    client.client.publish("all", "heard", 1, properties=properties).wait_for_publish(PATIENCE)
    message = client.take()
    assert message.payload == b"heard" and message.properties.UserProperty == [("key", "value")]
    client.leave()


def main():
    authority, *ways = sys.argv[1:]
    for listener, port in zip(ways[::2], ways[1::2]):
        for version in (mqtt.MQTTv311, mqtt.MQTTv5):
            for test in (every_quality, retained, will, shared, resumed, options):
                print(f"{listener} version {version}: {test.__name__}")
                test((listener, int(port), authority), version)


main()
