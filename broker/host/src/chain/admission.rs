//! May anybody connect from there?

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Chains;
use crate::admissions::Admission;
use crate::contract::{Hook, OnError};
use crate::plugin::{Admit, AdmitAnswer, Generation, at_once};

impl Chains {
    /// Asks every plugin until one says no; answers from memory where all of them allowed it. Never waits.
    pub(crate) fn admits(&self, listener: &str, address: IpAddr) -> bool {
        let began = Instant::now();
        if let Some(admission) = self.admissions.find(listener, address, began) {
            return admission.admit;
        }
        let (mut now, mut reuse) = (began, Duration::MAX);
        let text = address.to_string();
        for seat in self.admission.iter().filter(|seat| seat.serving(&text).is_on(listener)) {
            let question = |_: &Generation| Admit { listener, address: &text };
            // Nothing else is known yet that a canary could go by.
            let (plugin, answer) = at_once(seat.ask(&text, question, &mut now));
            match answer {
                Ok(AdmitAnswer { admit, reuse_for }) => {
                    reuse = reuse.min(reuse_for);
                    if !admit {
                        plugin.count_refusal(Hook::Admission);
                        self.admissions.keep(listener, address, Admission { admit: false }, reuse);
                        return false;
                    }
                }
                Err(error) => {
                    reuse = Duration::ZERO;
                    tracing::debug!(%error, listener, %address, "plugin could not say whether to admit an address");
                    if plugin.on_error() != OnError::Next {
                        return false;
                    }
                }
            }
        }
        self.admissions.keep(listener, address, Admission { admit: true }, reuse);
        true
    }
}
