//! The doubles of the broker's functions, with the signatures of the generated bindings.

pub(crate) use super::tcp;
use super::{Line, Order, World, world};

pub(crate) mod log {
    use super::{Line, world};
    use crate::log::Level;

    pub(crate) fn enabled(_: Level) -> bool {
        true
    }

    pub(crate) fn write(level: Level, message: &str, fields: &[(String, String)]) {
        world(|world| world.logs.push(Line { level, message: message.to_owned(), fields: fields.to_vec() }));
    }
}

pub(crate) mod config {
    use serde_json::Value;

    use super::world;

    pub(crate) fn json() -> String {
        world(|world| world.config.to_string())
    }

    pub(crate) fn get(path: &str) -> Option<String> {
        world(|world| match path.split('.').try_fold(&world.config, |table, key| table.get(key))? {
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            scalar => Some(scalar.to_string()),
        })
    }
}

pub(crate) mod identities {
    use super::world;
    use crate::{Identity, IdentityId};

    pub(crate) fn get(id: IdentityId) -> Option<Identity> {
        world(|world| world.identities.get(&id).cloned())
    }
}

pub(crate) mod clock {
    use super::world;

    pub(crate) fn unix_ms() -> u64 {
        world(|world| world.now)
    }

    pub(crate) fn monotonic_ns() -> u64 {
        unix_ms() * 1_000_000
    }

    /// The same bytes in every run (splitmix64), so that a failing test fails again.
    pub(crate) fn random(length: u32) -> Vec<u8> {
        world(|world| {
            (0..length)
                .map(|_| {
                    world.randomness = world.randomness.wrapping_add(0x9E37_79B9_7F4A_7C15);
                    let mixed = (world.randomness ^ (world.randomness >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                    ((mixed ^ (mixed >> 27)) >> 56) as u8
                })
                .collect()
        })
    }
}

pub(crate) mod metrics {
    use super::world;

    pub(crate) fn add(counter: &str, _: &[(String, String)], by: u64) {
        world(|world| *world.metrics.entry(counter.to_owned()).or_default() += by as f64);
    }

    pub(crate) fn set(gauge: &str, _: &[(String, String)], to: f64) {
        world(|world| world.metrics.insert(gauge.to_owned(), to));
    }

    pub(crate) fn observe(histogram: &str, labels: &[(String, String)], value: f64) {
        set(histogram, labels, value);
    }
}

pub(crate) mod secrets {
    use super::world;
    use crate::secrets::Error;

    pub(crate) fn get(name: &str) -> Result<Vec<u8>, Error> {
        world(|world| world.secrets.get(name).cloned()).ok_or(Error::NotGranted)
    }
}

pub(crate) mod kv {
    use super::{World, world};
    use crate::kv::Error;
    use crate::testing::Entry;

    pub(crate) fn get(store: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        in_store(store, |entries, _| entries.get(key).map(|(value, _)| value.clone()))
    }

    pub(crate) fn set(store: &str, key: &str, value: &[u8], ttl_ms: u64) -> Result<(), Error> {
        in_store(store, |entries, now| {
            entries.insert(key.to_owned(), (value.to_vec(), (ttl_ms > 0).then_some(now + ttl_ms)));
        })
    }

    pub(crate) fn delete(store: &str, key: &str) -> Result<bool, Error> {
        in_store(store, |entries, _| entries.remove(key).is_some())
    }

    pub(crate) fn increment(store: &str, key: &str, by: i64, ttl_ms: u64) -> Result<i64, Error> {
        in_store(store, |entries, now| {
            let fresh = || (Vec::new(), (ttl_ms > 0).then_some(now + ttl_ms));
            let (value, _) = entries.entry(key.to_owned()).or_insert_with(fresh);
            let before: i64 = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            let sum = before.saturating_add(by);
            *value = sum.to_string().into_bytes();
            sum
        })
    }

    type Entries = std::collections::BTreeMap<String, Entry>;

    fn in_store<R>(store: &str, act: impl FnOnce(&mut Entries, u64) -> R) -> Result<R, Error> {
        world(|world: &mut World| {
            let now = world.now;
            let entries = world.stores.get_mut(store).ok_or(Error::NotGranted)?;
            entries.retain(|_, (_, expires)| expires.is_none_or(|at| at > now));
            Ok(act(entries, now))
        })
    }
}

pub(crate) mod files {
    use super::world;
    use crate::files::{AppendError, Error};

    pub(crate) fn read(path: &str) -> Result<Vec<u8>, Error> {
        file(path).map(|(_, content)| content)
    }

    pub(crate) fn version(path: &str) -> Result<u64, Error> {
        file(path).map(|(version, _)| version)
    }

    pub(crate) fn append(path: &str, record: &[u8]) -> Result<(), AppendError> {
        world(|world| {
            let (bytes_max, bytes) = world.appended.get_mut(path).ok_or(AppendError::NotGranted)?;
            if bytes.len() + record.len() > *bytes_max {
                return Err(AppendError::OverQuota);
            }
            bytes.extend_from_slice(record);
            Ok(())
        })
    }

    fn file(path: &str) -> Result<(u64, Vec<u8>), Error> {
        let (version, content) = world(|world| world.files.get(path).cloned()).ok_or(Error::NotGranted)?;
        let content = content.ok_or_else(|| Error::Unreadable("No such file or directory".to_owned()))?;
        Ok((version, content))
    }
}

pub(crate) mod crypto {
    use sha2::{Digest, Sha256, Sha512};

    use super::world;
    use crate::crypto::{Algorithm, Error};

    pub(crate) fn verify(algorithm: Algorithm, key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, Error> {
        if key.is_empty() {
            return Err(Error::BadKey("the key is empty".to_owned()));
        }
        let asked = (algorithm, key.to_vec(), message.to_vec(), signature.to_vec());
        Ok(world(|world| world.signatures.contains(&asked)))
    }

    pub(crate) fn sha256(data: &[u8]) -> Vec<u8> {
        Sha256::digest(data).to_vec()
    }

    pub(crate) fn sha512(data: &[u8]) -> Vec<u8> {
        Sha512::digest(data).to_vec()
    }
}

pub(crate) mod passwords {
    use super::world;
    use crate::passwords::Error;

    pub(crate) fn verify(encoded: &str, password: &[u8]) -> Result<bool, Error> {
        if !encoded.starts_with('$') {
            return Err(Error::BadHash("a hash starts with `$`".to_owned()));
        }
        world(|world| {
            world.verified.push(encoded.to_owned());
            Ok(world.passwords.iter().any(|(hash, right)| hash == encoded && right == password))
        })
    }
}

pub(crate) mod http {
    use super::world;
    use crate::http::{Error, Request, Response};

    pub(crate) fn send(request: &Request) -> Result<Response, Error> {
        world(|world| {
            world.requests.push(request.clone());
            world
                .responses
                .pop_front()
                .unwrap_or_else(|| Err(Error::NotGranted("the test gave no response".to_owned())))
        })
    }
}

pub(crate) mod broker {
    use super::{Order, world};
    use crate::broker::Error;
    use crate::{Message, Redirection};

    pub(crate) fn publish(message: &Message) -> Result<(), Error> {
        order(Order::Publish(message.clone()))
    }

    pub(crate) fn disconnect(client_id: &str, code: u8, keep_session: bool) -> Result<(), Error> {
        order(Order::Disconnect { client_id: client_id.to_owned(), code, keep_session })
    }

    pub(crate) fn redirect(client_id: &str, to: &Redirection) -> Result<(), Error> {
        order(Order::Redirect { client_id: client_id.to_owned(), to: to.clone() })
    }

    pub(crate) fn revoke(principal: &str) -> Result<(), Error> {
        order(Order::Revoke(principal.to_owned()))
    }

    fn order(order: Order) -> Result<(), Error> {
        world(|world| world.orders.push(order));
        Ok(())
    }
}
