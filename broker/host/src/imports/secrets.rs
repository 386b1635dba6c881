//! `secrets`: granted one by one, loaded with the generation, never shown.

use std::collections::HashMap;
use std::fmt;

use super::PluginState;
use super::shared::ImportError;
use crate::bindings::midge::plugin::secrets::{Error, Host};
use crate::grants::{Grants, SecretSource};

/// The granted secrets of one generation.
#[derive(Default)]
pub(super) struct Secrets(HashMap<String, Option<Vec<u8>>>);

impl Secrets {
    /// Reads every granted secret. An environment variable that is not set is a missing secret, which the plugin
    /// may cope with; a file that was named and cannot be read is the operator's mistake.
    pub(super) fn load(grants: &Grants) -> Result<Self, ImportError> {
        let load = |(name, source): (&str, &SecretSource)| {
            let value = match source {
                SecretSource::Value(text) => Some(text.clone().into_bytes()),
                SecretSource::Environment(variable) => {
                    std::env::var_os(variable).map(std::ffi::OsString::into_encoded_bytes)
                }
                SecretSource::File(path) => {
                    let bytes = std::fs::read(path).map_err(|error| ImportError::Secret {
                        plugin: grants.plugin().to_owned(),
                        name: name.to_owned(),
                        path: path.clone(),
                        error,
                    })?;
                    Some(without_line_break(bytes))
                }
            };
            Ok((name.to_owned(), value))
        };
        grants.secrets().map(load).collect::<Result<_, _>>().map(Self)
    }

    fn find(&self, name: &str) -> Result<&[u8], Error> {
        match self.0.get(name) {
            None => Err(Error::NotGranted),
            Some(None) => Err(Error::Missing),
            Some(Some(value)) => Ok(value),
        }
    }
}

/// Editors and `echo` end a file with a line break that is not part of the secret.
fn without_line_break(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Host for PluginState {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let found = self.shared.secrets().find(&name);
        if matches!(found, Err(Error::NotGranted)) {
            self.shared.denied(&self.shared.grants().no_secret(&name));
        }
        Ok(found.map(<[u8]>::to_vec))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::path::Path;

    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_come_from_where_the_config_says() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "from a file\r\n").unwrap();
        let allow = json!({"secrets": {
            "file": {"file": "token"}, "literal": {"value": "from the config"},
            "set": {"env": "PATH"}, "unset": {"env": "MIDGE_NO_SUCH_VARIABLE"}
        }});
        let secrets = Secrets::load(&Grants::from_json("a", &allow, folder.path()).unwrap()).unwrap();
        assert_eq!(secrets.find("file").unwrap(), b"from a file");
        assert_eq!(secrets.find("literal").unwrap(), b"from the config");
        assert!(!secrets.find("set").unwrap().is_empty());
        assert!(matches!(secrets.find("unset"), Err(Error::Missing)));
        assert!(matches!(secrets.find("other"), Err(Error::NotGranted)));
        assert!(!format!("{secrets:?}").contains("from"));
    }

    #[test]
    fn a_secret_file_that_cannot_be_read_stops_the_load_and_is_named() {
        let allow = json!({"secrets": {"token": {"file": "/no/such/file"}}});
        let error = Secrets::load(&Grants::from_json("jwt", &allow, Path::new("/")).unwrap()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("jwt") && text.contains("token") && text.contains("/no/such/file"), "{text}");
    }
}
