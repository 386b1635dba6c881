//! Name resolution by the host: of a name's addresses only the granted ones are ever connected to. Judging here, and
//! not before the request, leaves no gap in which a name could change its mind.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::grants::Grants;

/// Asks for a name's addresses.
pub(in crate::imports) trait Lookup: Send + Sync + 'static {
    fn lookup(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
}

/// The operating system's resolver.
pub(in crate::imports) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// A resolver that leaves out what is not granted.
pub(super) struct Granted {
    grants: Arc<Grants>,
    lookup: Arc<dyn Lookup>,
}

impl Granted {
    pub(super) fn new(grants: Arc<Grants>, lookup: Arc<dyn Lookup>) -> Self {
        Self { grants, lookup }
    }
}

impl Resolve for Granted {
    fn resolve(&self, name: Name) -> Resolving {
        let (grants, found) = (Arc::clone(&self.grants), self.lookup.lookup(name.as_str().to_owned()));
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let (mut granted, mut denial) = (Vec::new(), None);
            for address in found.await? {
                match grants.http_address(&host, address) {
                    // Port 0: the client takes the one of the URL.
                    Ok(()) => granted.push(SocketAddr::new(address, 0)),
                    Err(denied) => denial = Some(denied),
                }
            }
            match denial {
                Some(denial) if granted.is_empty() => Err(denial.into()),
                _ => Ok(Box::new(granted.into_iter()) as Addrs),
            }
        })
    }
}
