//! AUTH (3.15), version 5 only.

use crate::packet::ack::read_reason;
use crate::properties::{self, Property, Writer, id, not_allowed};
use crate::wire::{Reader, put_packet, put_prefixed};
use crate::{Cause, Malformed, PacketKind, ReasonCode, ReasonProperties, TooLarge};

/// A step of enhanced authentication (4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, continue, or re-authenticate [MQTT-3.15.2-1].
    pub reason: ReasonCode,
    /// Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// Authentication Data.
    pub authentication_data: Option<&'a [u8]>,
    /// What explains the reason.
    pub properties: ReasonProperties<'a>,
}

impl<'a> Auth<'a> {
    pub(crate) fn decode(mut reader: Reader<'a>) -> Result<Self, Malformed> {
        let mut auth = Self {
            reason: ReasonCode::Success,
            authentication_method: None,
            authentication_data: None,
            properties: ReasonProperties::default(),
        };
        if !reader.is_empty() {
            auth.reason = read_reason(PacketKind::Auth, &mut reader)?;
            auth.read_properties(&mut reader)?;
        }
        reader.finish()?;
        if auth.authentication_method.is_none() && !auth.is_bare() {
            return Err(Cause::AuthenticationMethodMissing.into());
        }
        Ok(auth)
    }

    fn read_properties(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let user_properties = properties::read(reader, |property| {
            match property {
                Property::Text(id::AUTHENTICATION_METHOD, value) => self.authentication_method = Some(value),
                Property::Binary(id::AUTHENTICATION_DATA, value) => self.authentication_data = Some(value),
                Property::Text(id::REASON_STRING, value) => self.properties.reason_string = Some(value),
                other => return not_allowed(other),
            }
            Ok(())
        })?;
        self.properties.user_properties = user_properties;
        Ok(())
    }

    /// Whether it says nothing but success: then all of it may be left out (3.15.2.1), although the Authentication
    /// Method must not be (3.15.2.2.2).
    fn is_bare(&self) -> bool {
        self.reason == ReasonCode::Success
            && self.authentication_method.is_none()
            && self.authentication_data.is_none()
            && self.properties.is_empty()
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_packet(out, PacketKind::Auth.first_byte(), |out| {
            if self.is_bare() {
                return Ok(());
            }
            out.push(self.reason.value());
            put_prefixed(out, |out| {
                let mut writer = Writer { out };
                writer.text(id::AUTHENTICATION_METHOD, self.authentication_method)?;
                writer.binary(id::AUTHENTICATION_DATA, self.authentication_data)?;
                self.properties.write(&mut writer)
            })
        })
    }
}

#[cfg(test)]
mod tests;
