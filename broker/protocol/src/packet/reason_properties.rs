//! Reason String and User Properties, which nearly every answer may have.

use crate::properties::{self, Property, Writer, id, not_allowed};
use crate::wire::{Reader, put_prefixed};
use crate::{Malformed, TooLarge, UserProperties};

/// What explains a Reason Code to a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReasonProperties<'a> {
    /// Reason String: for logs, not for programs.
    pub reason_string: Option<&'a str>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
}

impl<'a> ReasonProperties<'a> {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reason_string.is_none() && self.user_properties.is_empty()
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut reason_string = None;
        let user_properties = properties::read(reader, |property| match property {
            Property::Text(id::REASON_STRING, value) => {
                reason_string = Some(value);
                Ok(())
            }
            other => not_allowed(other),
        })?;
        Ok(Self { reason_string, user_properties })
    }

    /// The whole property section.
    pub(crate) fn write_section(&self, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_prefixed(out, |out| self.write(&mut Writer { out }))
    }

    /// The properties without the length in front of them.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), TooLarge> {
        writer.text(id::REASON_STRING, self.reason_string)?;
        writer.user_properties(self.user_properties)
    }
}
