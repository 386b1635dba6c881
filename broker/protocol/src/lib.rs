//! MQTT control packets: bytes to packets and back.
