//! What kind of place an IP address is, for outbound requests of plugins.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can be reached at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The internet.
    Public,
    /// The operator's own network: RFC 1918, unique local, carrier-grade NAT.
    Private,
    /// This machine, this link, a cloud's metadata service, or no single host at all.
    Local,
}

impl Reach {
    /// Sorts an address. IPv6 forms that carry an IPv4 address (mapped, compatible, NAT64, 6to4) are
    /// judged by the address they carry: the packet ends up there.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => carried(address).map_or_else(|| of_v6(address), of_v4),
        }
    }

    /// The kind of address in words, for a denial.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Private => "a private address",
            Self::Local => "a loopback, link-local or metadata address",
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    if CLOUD_METADATA_V4.contains(&address) {
        return Reach::Local;
    }
    match (a, b, c) {
        // 0/8 is "this host" (RFC 1122), 192.0.0/24 protocol assignments, 224/3 multicast, reserved, broadcast.
        (0 | 127 | 224.., _, _) | (169, 254, _) | (192, 0, 0) => Reach::Local,
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) | (198, 18 | 19, _) => Reach::Private,
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || address == CLOUD_METADATA_V6 {
        return Reach::Local;
    }
    match address.segments()[0] {
        0xfe80..=0xfebf => Reach::Local,
        // fec0::/10 is the deprecated site-local range.
        0xfc00..=0xfdff | 0xfec0..=0xfeff => Reach::Private,
        _ => Reach::Public,
    }
}

/// The IPv4 address an IPv6 address stands for.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    if address.is_unspecified() || address.is_loopback() {
        return None;
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match (s0, s1, s2, s3, s4, s5) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(join(s6, s7)),
        (0x2002, high, low, ..) => Some(join(high, low)),
        _ => None,
    }
}

/// Metadata and wire services outside the link-local range: Azure, Alibaba.
const CLOUD_METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200)];
/// AWS instance metadata over IPv6.
const CLOUD_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn addresses_are_sorted_by_who_answers_there() {
        let cases = [
            ("1.1.1.1", Reach::Public),
            ("172.32.0.1", Reach::Public),
            ("2606:4700::1111", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd12::1", Reach::Private),
            ("::ffff:10.0.0.1", Reach::Private),
            ("64:ff9b::10.0.0.1", Reach::Private),
            ("127.0.0.1", Reach::Local),
            ("127.8.8.8", Reach::Local),
            ("0.0.0.0", Reach::Local),
            ("169.254.169.254", Reach::Local),
            ("168.63.129.16", Reach::Local),
            ("224.0.0.1", Reach::Local),
            ("255.255.255.255", Reach::Local),
            ("::1", Reach::Local),
            ("::", Reach::Local),
            ("fe80::1", Reach::Local),
            ("fd00:ec2::254", Reach::Local),
            ("::ffff:127.0.0.1", Reach::Local),
            ("::127.0.0.1", Reach::Local),
            ("::ffff:169.254.169.254", Reach::Local),
            ("2002:7f00:1::", Reach::Local),
        ];
        for (text, reach) in cases {
            assert_eq!(Reach::of(text.parse().unwrap()), reach, "{text}");
        }
    }
}
