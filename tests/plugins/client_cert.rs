//! The bundled plugin `client-cert`: names from certificates, lists of who is wanted, and lists of who is not any more.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode};
use rcgen::{CertificateParams, DnType, SanType, SerialNumber, date_time_ymd};
use tempfile::TempDir;

use super::component;
use crate::interop::SCRIPT_MAX;
use crate::support::client::connect;
use crate::support::issuer::from_now;
use crate::support::pki::Pki;
use crate::support::program::finish;
use crate::support::{Client, PATIENCE, Server, VERSIONS, stream};

const LISTENERS: &str = r#"
[[listener]]
name = "mutual"
address = "127.0.0.1:0"
tls = { certificate = "server.pem", key = "server.key", client_ca = "ca.pem", client_certificate = "optional" }
"#;

/// A broker with the plugin; `prepare` puts files in its directory.
fn start(config: &str, prepare: impl FnOnce(&Pki, &Path)) -> (Server, Pki) {
    let directory = TempDir::new().unwrap();
    let pki = Pki::in_directory(&directory);
    prepare(&pki, directory.path());
    let plugin = format!(
        "[[plugin]]\npath = {:?}\nconfig = {{ {config} }}\nallow = {{ files = [\"ca.pem\", \"list.pem\"] }}\n",
        component("client-cert")
    );
    (Server::beside(directory, &(LISTENERS.to_owned() + &plugin)), pki)
}

fn plain(config: &str) -> (Server, Pki) {
    start(config, |_, _| {})
}

/// What CONNACK says to a client whose certificate in this name is as `adjust` says, and the client.
fn show(
    (server, pki): &(Server, Pki),
    version: ProtocolVersion,
    name: &str,
    adjust: impl FnOnce(&mut CertificateParams),
) -> (Client, ReasonCode) {
    let config = pki.client_showing(Some(pki.issue_with(name, adjust)));
    let mut client = Client::over(Box::new(stream::tls(server.address_of("mutual"), config)), version);
    client.send(&Packet::Connect(Box::new(connect(version, name))));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

fn let_in(house: &(Server, Pki), name: &str, adjust: impl FnOnce(&mut CertificateParams)) -> Client {
    let (client, reason) = show(house, ProtocolVersion::V5, name, adjust);
    assert_eq!(reason, ReasonCode::Success, "{name}: {}", house.0.log());
    client
}

fn refused(house: &(Server, Pki), name: &str, adjust: impl FnOnce(&mut CertificateParams)) {
    let (mut client, reason) = show(house, ProtocolVersion::V5, name, adjust);
    assert_eq!(reason, ReasonCode::NotAuthorized, "{name}");
    client.expect_close();
}

fn numbered(serial: u64) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.serial_number = Some(SerialNumber::from(serial))
}

#[test]
fn a_certificate_lets_in_whom_it_names_in_every_version() {
    let house = plain("");
    for version in VERSIONS {
        let (mut client, reason) = show(&house, version, "device", |_| {});
        assert_eq!(reason, ReasonCode::Success);
        client.ping();
    }
    house.0.logged(&["client connected", "principal=device"]);
}

#[test]
fn who_shows_none_is_someone_elses_and_there_is_nobody() {
    for (config, words) in
        [("", "no plugin allowed it"), ("without_certificate = \"deny\"", "a client certificate is needed")]
    {
        let (server, pki) = plain(config);
        let stream = stream::tls(server.address_of("mutual"), pki.client(None));
        let mut client = Client::over(Box::new(stream), ProtocolVersion::V5);
        let mut hello = connect(ProtocolVersion::V5, "stranger");
        hello.username = Some("device");
        client.send(&Packet::Connect(Box::new(hello)));
        assert_eq!(client.connack(|connack| connack.reason), ReasonCode::NotAuthorized);
        server.logged(&["connection denied", words]);
    }
}

#[test]
fn names_in_a_certificate_become_principal_tenant_and_permissions() {
    let house = plain(
        "principal = \"%{san.uri}\", tenant = \"%{o}\", attributes = { serial = \"%{serial}\" }, \
         access = { publish = [\"%t/%{cn}/#\"], subscribe = [\"names/%{san.dns}\"] }",
    );
    let mut client = let_in(&house, "d7", |params| {
        params.distinguished_name.push(DnType::OrganizationName, "acme");
        params.subject_alt_names = ["a.example.com", "b.example.com"]
            .map(|name| SanType::DnsName(name.try_into().unwrap()))
            .into_iter()
            .chain([SanType::URI("urn:device:7".try_into().unwrap())])
            .collect();
    });
    house.0.logged(&["client connected", "principal=urn:device:7"]);
    for name in ["a.example.com", "b.example.com"] {
        assert_eq!(client.subscribe(&format!("names/{name}"), QoS::AtMostOnce), ReasonCode::Success);
    }
    assert_eq!(client.subscribe("names/c.example.com", QoS::AtMostOnce), ReasonCode::NotAuthorized);
    assert!(!client.publish("acme/d7/up", "x", QoS::AtLeastOnce).is_error());
    client.publish_refused("acme/d8/up", ReasonCode::NotAuthorized);
}

#[test]
fn only_certificates_that_are_allowed_come_in() {
    let house = plain("allowed = { cn = [\"device-*\"] }");
    let_in(&house, "device-7", |_| {}).ping();
    refused(&house, "visitor", |_| {});
    house.0.logged(&["connection denied", "not among those that are allowed (cn)"]);
}

#[test]
fn a_connection_ends_when_its_certificate_does() {
    let house = plain("");
    let mut mortal = let_in(&house, "mortal", |params| {
        let end = u64::try_from(from_now(5)).unwrap();
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(end);
    });
    let mut other = let_in(&house, "other", |_| {});
    mortal.expect_disconnect(ReasonCode::NotAuthorized);
    house.0.metric_reaches("midge_connections_closed_total", &[("reason", "identity_expired")], 1.0);
    other.ping();
}

#[test]
fn who_was_revoked_stays_out_and_a_new_list_goes_for_the_next_client() {
    let revocation = "crl_files = [\"list.pem\"], authorities = \"ca.pem\"";
    let house = start(revocation, |pki, directory| {
        fs::write(directory.join("list.pem"), pki.revocation_list(&[7], 2100)).unwrap();
    });
    let (server, pki) = &house;
    refused(&house, "lost", numbered(7));
    server.logged(&["connection denied", "the certificate was revoked"]);
    let mut stays = let_in(&house, "kept", numbered(8));

    let write = |list: &str| fs::write(server.directory().join("list.pem"), list).unwrap();
    write(&pki.revocation_list(&[7, 8], 2100));
    until(server, || show(&house, ProtocolVersion::V5, "kept2", numbered(8)).1 == ReasonCode::NotAuthorized);
    stays.ping();

    // Signed by nobody who is known here.
    let stranger = Pki::in_directory(&TempDir::new().unwrap());
    write(&stranger.revocation_list(&[], 2100));
    server_says(&house, &["the revocation lists read before stay in force", "its signature is wrong"]);
    refused(&house, "lost", numbered(7));

    write(&pki.revocation_list(&[], 2021));
    until(server, || show(&house, ProtocolVersion::V5, "kept3", numbered(9)).1 == ReasonCode::NotAuthorized);
    server.logged(&["connection denied", "the revocation list of the certificate's issuer is too old"]);
    assert!(server.page("/readyz").starts_with("HTTP/1.1 503"), "{}", server.page("/readyz"));
}

/// Files are looked at when somebody asks.
fn server_says(house: &(Server, Pki), parts: &[&str]) {
    until(&house.0, || {
        drop(show(house, ProtocolVersion::V5, "asker", numbered(100)));
        house.0.log().lines().any(|line| parts.iter().all(|part| line.contains(part)))
    });
}

fn until(server: &Server, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came so:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Lists and certificates that nobody here wrote, by an authority with an RSA key; shown by mosquitto.
#[test]
fn openssl_revokes_and_mosquitto_is_refused() {
    let directory = TempDir::new().unwrap();
    let _pki = Pki::in_directory(&directory);
    finish(Command::new("sh").args(["-ec", OPENSSL]).current_dir(directory.path()), SCRIPT_MAX);
    let listener = LISTENERS.replace("ca.pem", "devices.pem");
    let plugin = format!(
        "[[plugin]]\npath = {:?}\nconfig = {{ crl_files = [\"list.der\"], authorities = \"devices.pem\" }}\n\
         allow = {{ files = [\"devices.pem\", \"list.der\"] }}\n",
        component("client-cert")
    );
    let server = Server::beside(directory, &(listener + &plugin));
    let publish = |name: &str| {
        let mut command = Command::new("mosquitto_pub");
        command.current_dir(server.directory()).args(["-h", "localhost", "-p"]);
        command.arg(server.address_of("mutual").port().to_string()).args(["--cafile", "ca.pem"]);
        command.args(["--cert", &format!("{name}.pem"), "--key", &format!("{name}.key")]);
        command.args(["-V", "mqttv5", "-t", "t", "-m", "hello", "-q", "1"]);
        command
    };
    finish(&mut publish("good"), SCRIPT_MAX);
    server.logged(&["client connected", "principal=good"]);
    let refused = publish("lost").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("Not authorized"), "{said}");
    server.logged(&["connection denied", "the certificate was revoked"]);
}

const OPENSSL: &str = r#"
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha384\nunique_subject = no\n' > ca.cnf
touch index.txt; echo 01 > number
openssl req -x509 -newkey rsa:2048 -nodes -keyout devices.key -out devices.pem -subj '/O=Acme/CN=Devices' -days 30 \
  -addext keyUsage=critical,keyCertSign,cRLSign
for name in good lost; do
  openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj "/O=Acme/CN=$name"
  printf 'extendedKeyUsage = clientAuth\nsubjectAltName = DNS:%s\n' $name > $name.ext
  openssl x509 -req -in $name.csr -CA devices.pem -CAkey devices.key -CAcreateserial -days 30 -extfile $name.ext -out $name.pem
done
openssl ca -config ca.cnf -keyfile devices.key -cert devices.pem -revoke lost.pem
openssl ca -config ca.cnf -keyfile devices.key -cert devices.pem -gencrl -crldays 7 -out list.pem
openssl crl -in list.pem -outform DER -out list.der
"#;

#[test]
fn a_start_with_a_list_that_nobody_signed_says_so() {
    let directory = TempDir::new().unwrap();
    let (pki, stranger) = (Pki::in_directory(&directory), Pki::in_directory(&TempDir::new().unwrap()));
    fs::write(directory.path().join("list.pem"), stranger.revocation_list(&[], 2100)).unwrap();
    let file = directory.path().join("midge.toml");
    let config = format!(
        "[[plugin]]\npath = {:?}\nconfig = {{ crl_files = [\"list.pem\"], authorities = \"ca.pem\" }}\n\
         allow = {{ files = [\"ca.pem\", \"list.pem\"] }}\n",
        component("client-cert")
    );
    fs::write(&file, config).unwrap();
    let check = || {
        let output = Server::output(&["run", "--check", "--config", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        (output.status.success(), said)
    };
    let (well, said) = check();
    assert!(
        !well && said.contains("list.pem: the list of CN=the tests' authority") && said.contains("signature is wrong"),
        "{said}"
    );
    fs::write(directory.path().join("list.pem"), pki.revocation_list(&[], 2100)).unwrap();
    let (well, said) = check();
    assert!(well, "{said}");
}
