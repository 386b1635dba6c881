//! Re-authentication of a connected client (4.12.1): what the broker says.

use std::sync::Arc;

use super::Broker;
use crate::connection::Connection;
use crate::effects::Effects;
use crate::{Permissions, Refusal};

impl Broker {
    /// Asks the client for the next step of its re-authentication.
    ///
    /// # Errors
    /// The client takes no packet of that size, and the connection has to end.
    pub fn challenge(
        &self,
        connection: &mut Connection,
        data: Option<&[u8]>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let Some(mut reauthentication) = connection.reauthentication.take() else { return Ok(()) };
        let fits = effects.reply_if_it_fits(connection, &reauthentication.challenge(data));
        connection.reauthentication = Some(reauthentication);
        fits.then_some(()).ok_or(Refusal::AuthenticationTooLarge)
    }

    /// The client has authenticated again: from now on these rules hold for what it does. Its subscriptions and its Will
    /// stay as they were granted.
    ///
    /// # Errors
    /// The client takes no packet of that size, and the connection has to end.
    pub fn reauthenticated(
        &self,
        connection: &mut Connection,
        permissions: Option<Arc<Permissions>>,
        data: Option<&[u8]>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let Some(mut reauthentication) = connection.reauthentication.take() else { return Ok(()) };
        let fits = effects.reply_if_it_fits(connection, &reauthentication.succeed(data));
        connection.reauthentication = Some(reauthentication);
        connection.set_permissions(permissions);
        fits.then_some(()).ok_or(Refusal::AuthenticationTooLarge)
    }
}
