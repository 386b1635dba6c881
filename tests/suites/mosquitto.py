"""Runs one script of mosquitto's broker tests against Midge: mosquitto.py MIDGE SCRIPT PORT...

The scripts stay as they are. What they import to start a broker and to compare packets is replaced:
- the broker is Midge, with a configuration that says what the script's mosquitto.conf says, and with mosquitto's limits;
- packets are compared by what they mean: properties may stand in any order, a Reason Code of 0 may be left out, and a
  broker may say more of itself than mosquitto does (what it supports, why it closes).
"""

import atexit
import os
import runpy
import shutil
import ssl
import subprocess
import sys
import tempfile
import weakref

MIDGE, SCRIPT = sys.argv[1:3]
PATIENCE_S = 30

# What mosquitto has unless configured.
LIMITS = {
    "receive_maximum": 20,
    "in_flight_max": 20,
    "topic_alias_maximum": 10,
    "packet_bytes_max": '"268435461B"',
    "topic_levels_max": 201,
    "client_id_bytes_max": 65535,
}
# Keys of mosquitto that are limits of Midge.
AS_LIMITS = {
    "max_inflight_messages": ["receive_maximum", "in_flight_max"],
    "max_keepalive": ["keep_alive_max_s"],
    "max_packet_size": ["packet_bytes_max"],
    "max_queued_messages": ["queued_messages_max"],
    "maximum_qos": ["maximum_qos"],
    "retain_available": ["retain_available"],
}
# Keys that ask for nothing that Midge does not do anyway.
GRANTED = {
    ("max_inflight_bytes", "1000000"),
    ("max_queued_bytes", "1000000"),
    ("allow_zero_length_clientid", "true"),
    ("log_type", "all"),
    ("log_type", "debug"),
    ("per_listener_settings", "false"),
    ("per_listener_settings", "true"),
}


class Unsupported(Exception):
    """Midge has no such key."""


def translate(conf):
    """Midge's configuration for a mosquitto.conf."""
    listeners, limits, plugins, persistence = [], dict(LIMITS), [], False
    # What stands before the first listener goes for a listener that is named later, too.
    common = {}
    for line in conf.splitlines():
        key, _, value = line.strip().partition(" ")
        value = value.strip()
        scope = listeners[-1] if listeners else common
        if not key or key.startswith("#") or (key, value) in GRANTED:
            continue
        if key in ("port", "listener"):
            listeners.append({"port": value.split()[0]})
        elif key in AS_LIMITS:
            limits.update((limit, f'"{value}B"' if "bytes" in limit else value) for limit in AS_LIMITS[key])
        elif key in ("allow_anonymous", "cafile", "certfile", "keyfile", "require_certificate"):
            scope[key] = value
        elif key == "persistence":
            persistence = value == "true"
        elif key == "persistence_file":
            keep_as(value)
        elif key in ("password_file", "acl_file"):
            plugins.append((key.replace("_", "-"), os.path.abspath(value)))
        else:
            raise Unsupported(line)
    anonymous = [listener["allow_anonymous"] for listener in listeners if "allow_anonymous" in listener]
    common.setdefault("allow_anonymous", anonymous[-1] if anonymous else "false")
    if "true" not in anonymous and not any(name == "password-file" for name, _ in plugins):
        # Midge does not start where nobody could connect; mosquitto does.
        plugins.append(("password-file", written("nobody", "# nobody\n")))
    parts = [listener_table({**common, **listener}) for listener in listeners]
    parts += [plugin_table(name, path) for name, path in plugins]
    parts.append("[limits]\n" + "".join(f"{key} = {value}\n" for key, value in limits.items()))
    parts.append(
        f'[runtime]\nthreads = 2\ndata_dir = "{DIRECTORY}/data"\n'
        f'[store]\ndurability = "{"os" if persistence else "memory"}"\n'
        "[admin]\nenabled = false\n[shutdown]\ndrain_ms = 100\n"
        '[log]\nfilter = "debug,wasmtime=warn"\n'
    )
    return "".join(parts)


def keep_as(file):
    """Scripts remove mosquitto's file to begin anew. Here it only says that there is a store."""
    if not os.path.exists(file):
        shutil.rmtree(os.path.join(DIRECTORY, "data"), ignore_errors=True)
        open(file, "w").close()


def listener_table(listener):
    table = f'[[listener]]\naddress = "127.0.0.1:{listener["port"]}"\nanonymous = {listener["allow_anonymous"]}\n'
    if "certfile" in listener:
        # mosquitto completes its chain from cafile.
        chain = open(listener["certfile"]).read() + open(listener["cafile"]).read()
        table += f'tls.certificate = "{written(listener["port"] + ".pem", chain)}"\n'
        table += f'tls.key = "{os.path.abspath(listener["keyfile"])}"\n'
        if listener.get("require_certificate") == "true":
            table += 'tls.client_certificate = "required"\n'
            table += f'tls.client_ca = "{os.path.abspath(listener["cafile"])}"\n'
    return table


def plugin_table(name, path):
    return (
        f'[[plugin]]\npath = "bundled:{name}"\nconfig = {{ file = "{path}" }}\nallow = {{ files = ["{path}"] }}\n'
    )


def start_broker(filename, cmd=None, port=0, use_conf=False, expect_fail=False):
    """Takes the place of mosq_test.start_broker."""
    if cmd is not None and "-c" in cmd:
        conf = open(cmd[cmd.index("-c") + 1]).read()
    elif use_conf or (cmd is None and port == 0):
        conf = open(filename.replace(".py", ".conf")).read()
    else:
        conf = f"listener {port}\nallow_anonymous true\n"
    file = written(f"{port}.toml", translate(conf))
    broker = subprocess.Popen([MIDGE, "run", "--config", file], stdout=subprocess.PIPE, stderr=open(file + ".log", "wb"))
    atexit.register(end, broker)
    for line in broker.stdout:
        if line.strip() == b"ready":
            # The scripts decode what the broker wrote to its standard error.
            broker.communicate = lambda *_, **__: (b"", open(file + ".log", "rb").read())
            return broker
    if expect_fail:
        return None
    sys.exit(f"the broker did not start: {open(file + '.log').read()}")


def end(broker):
    broker.kill()
    broker.wait()


def written(name, text):
    """The path of a file of our own."""
    path = os.path.join(DIRECTORY, name)
    with open(path, "w") as file:
        file.write(text)
    return path


DIRECTORY = tempfile.mkdtemp()
atexit.register(shutil.rmtree, DIRECTORY, ignore_errors=True)


def expect_packet(sock, name, expected):
    """Takes the place of mosq_test.expect_packet."""
    if not expected:
        expect_end(sock, name)
    while expected:
        wanted, expected = cut(expected)
        received = next_like(sock, wanted)
        if not same(received, wanted):
            mosq_test.packet_matches(name, received, wanted)
            print("Received bytes:", received, "\nExpected bytes:", wanted)
            raise mosq_test.TestError
    return True


def receive_unordered(sock, first, second, error):
    """Takes the place of mosq_test.receive_unordered."""
    received = EARLY.pop(sock, [])
    received += [receive(sock) for _ in range(2 - len(received))]
    for wanted in (first, second):
        match = next((one for one in received if same(one, wanted)), None)
        if match is None:
            raise ValueError(f"{error}: received {received}")
        received.remove(match)


def expect_end(sock, name):
    """An MQTT 5 client may be told why its connection ends."""
    received = receive(sock)
    refused = received[:1] == b"\x20" and len(received) > 4 and received[3] >= 0x80
    if refused or received[:1] == b"\xe0":
        received = sock.recv(1)
    if not mosq_test.packet_matches(name, received, b""):
        raise mosq_test.TestError


# What has come before its turn: a PUBLISH and an acknowledgement may overtake each other, not their own kind.
EARLY = weakref.WeakKeyDictionary()


def next_like(sock, wanted):
    """The next packet of the wanted one's kind: a PUBLISH, or anything else."""
    early = EARLY.setdefault(sock, [])
    if wanted[0] == PINGRESP:
        # The scripts ping to see that nothing else comes.
        return early.pop(0) if early else receive(sock)
    for at, packet in enumerate(early):
        if is_publish(packet) == is_publish(wanted):
            return early.pop(at)
    while True:
        packet = receive(sock)
        if not packet or is_publish(packet) == is_publish(wanted) or early:
            return packet
        early.append(packet)


def is_publish(packet):
    return packet[0] & 0xF0 == PUBLISH


def cut(octets):
    """The first packet, and what comes after it."""
    value, at = varint(octets, 1)
    return octets[: at + value], octets[at + value :]


def varint(octets, at):
    value = shift = 0
    while True:
        value |= (octets[at] & 127) << shift
        shift += 7
        at += 1
        if octets[at - 1] < 128:
            return value, at


def receive(sock):
    """One packet; less where the connection ends."""
    octets = sock.recv(1)
    while octets:
        octet = sock.recv(1)
        octets += octet
        if not octet or octet[0] < 128:
            break
    length = varint(octets, 1)[0] if len(octets) > 1 else 0
    while length > 0:
        more = sock.recv(length)
        if not more:
            break
        octets += more
        length -= len(more)
    return octets


CONNACK, PUBLISH, PUBCOMP, PINGRESP, DISCONNECT = 0x20, 0x30, 0x70, 0xD0, 0xE0
ACKNOWLEDGEMENTS = (0x40, 0x50, 0x60, PUBCOMP)
# Size of a property's value by its identifier; text and binary have their own length in front.
SIZES = {1: 1, 2: 4, 11: "varint", 17: 4, 19: 2, 23: 1, 24: 4, 25: 1, 33: 2, 34: 2, 35: 2, 36: 1, 37: 1, 39: 4}
SIZES |= {38: "pair", 40: 1, 41: 1, 42: 1}
# What a broker may say in a CONNACK without being asked: limits, and what it supports; anywhere: a Reason String.
LIMITS_SAID = {33, 34, 36, 37, 39, 40, 41, 42}
REASON_STRING = 31


def properties(octets, at):
    """The properties that start here, sorted, and where they end."""
    length, at = varint(octets, at)
    stop, found = at + length, []
    while at < stop:
        identifier, start = octets[at], at
        size = SIZES.get(identifier, "text")
        at += 1
        if size == "varint":
            _, at = varint(octets, at)
        elif size == "pair":
            for _ in range(2):
                at += 2 + int.from_bytes(octets[at : at + 2], "big")
        elif size == "text":
            at += 2 + int.from_bytes(octets[at : at + 2], "big")
        else:
            at += size
        found.append(octets[start:at])
    if at != stop:
        raise IndexError
    return sorted(found), at


def same(received, wanted):
    """Whether both are the same to a client."""
    if received == wanted:
        return True
    try:
        return received[0] == wanted[0] and meaning(received, wanted) == meaning(wanted, wanted)
    except IndexError:
        return False


def meaning(packet, wanted):
    """What an MQTT 5 packet says, less what a broker may say or not."""
    kind = packet[0] & 0xF0
    _, at = varint(packet, 1)
    body = packet[at:]
    if kind == CONNACK and len(body) == 2:
        return body.replace(b"\x04", b"\x05")
    if kind == CONNACK:
        said, _ = properties(body, 2)
        asked = {one[0] for one in properties(wanted[varint(wanted, 1)[1] :], 2)[0]}
        return body[:1], reason(body[1:2]), [one for one in said if one[0] not in (LIMITS_SAID | {REASON_STRING}) - asked]
    if kind == PUBLISH:
        topic = 2 + int.from_bytes(body[:2], "big")
        head = topic + (2 if packet[0] & 0x06 else 0)
        said, end = properties(body, head)
        return body[:head], said, body[end:]
    if kind in ACKNOWLEDGEMENTS:
        said, _ = properties(body, 3) if len(body) > 3 else ([], 0)
        # Not knowing the Packet Identifier "is not an error during recovery" (3.7.2.1).
        code = b"\0" if kind == PUBCOMP and body[2:3] == b"\x92" else reason(body[2:3])
        return body[:2], code, [one for one in said if one[0] != REASON_STRING]
    if kind == DISCONNECT:
        said, _ = properties(body, 1) if len(body) > 1 else ([], 0)
        return reason(body[:1]), [one for one in said if one[0] != REASON_STRING]
    return body


# Reason Codes between which a broker may choose.
ALIKE = {
    # None said is Success.
    b"": b"\x00",
    # That nobody subscribes need not be said.
    b"\x10": b"\x00",
    # Bad User Name or Password; Not authorized.
    b"\x86": b"\x87",
    # Protocol Error; Malformed Packet.
    b"\x82": b"\x81",
}


def reason(octet):
    return ALIKE.get(octet, octet)


class Popen(subprocess.Popen):
    """A script that another one starts has to be run as this one is."""

    def __init__(self, command, *arguments, **named):
        if command[0].endswith(".py"):
            command = [sys.executable, __file__, MIDGE, *command]
        super().__init__(command, *arguments, **named)


subprocess.Popen = Popen
def wrap_socket(sock, ca_certs=None, certfile=None, keyfile=None, cert_reqs=ssl.CERT_NONE, ssl_version=None):
    """What Python had under this name until 3.12."""
    context = ssl.SSLContext(ssl_version or ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = cert_reqs
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    return context.wrap_socket(sock)


ssl.wrap_socket = wrap_socket
sys.argv = [SCRIPT, *sys.argv[3:]]
sys.path.insert(0, os.getcwd())
import mosq_test_helper  # noqa: E402, F401  (it makes mosq_test known)
import mosq_test  # noqa: E402

mosq_test.start_broker = start_broker
mosq_test.expect_packet = expect_packet
mosq_test.receive_unordered = receive_unordered
runpy.run_path(SCRIPT, run_name="__main__")
