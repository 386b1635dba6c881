//! A doorkeeper that could wait: it must not be loaded.

use midge_plugin_sdk::{Admission, Doorkeeper, http, plugin};

#[derive(Default)]
struct Sluggish;

impl Doorkeeper for Sluggish {
    fn admit(&mut self, _: &str, address: &str) -> Result<Admission, String> {
        let asked = http::send(&http::Request::get(format!("http://127.0.0.1/{address}")));
        Ok(if asked.is_ok() { Admission::admit() } else { Admission::refuse() })
    }
}

plugin!(Sluggish: admission);
