//! What the admin port knows, and whom it asks to change something.

use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, MutexGuard};

use super::guard::Token;
use crate::config::Admin;
use crate::error::Cause;
use crate::node::Node;
use crate::reload::Reload;
use crate::swap::Swaps;

/// The state of the admin port.
pub(crate) struct Desk {
    pub(super) node: Arc<Node>,
    pub(super) token: Option<Token>,
    /// Whoever changes plugins; there once the broker serves clients.
    changes: OnceLock<(Arc<Mutex<Reload>>, Arc<Swaps>)>,
}

impl Desk {
    /// A desk that shows, and as yet changes nothing.
    ///
    /// # Errors
    /// The token's file cannot be used.
    pub(crate) fn new(node: &Arc<Node>, config: &Admin) -> Result<Arc<Self>, Cause> {
        let token = config.token_file.as_deref().map(Token::read).transpose()?;
        Ok(Arc::new(Self { node: Arc::clone(node), token, changes: OnceLock::new() }))
    }

    /// From now on plugins can be changed.
    pub(crate) fn open(&self, reload: &Arc<Mutex<Reload>>, swaps: &Arc<Swaps>) {
        // There is one in the life of a broker.
        let _ = self.changes.set((Arc::clone(reload), Arc::clone(swaps)));
    }

    /// Waits for its turn to load something. None: the broker is still starting.
    pub(super) async fn reload(&self) -> Option<MutexGuard<'_, Reload>> {
        let (reload, _) = self.changes.get()?;
        Some(reload.lock().await)
    }

    /// For changes that load nothing, and wait for nobody. None: the broker is still starting.
    pub(super) fn swaps(&self) -> Option<&Swaps> {
        let (_, swaps) = self.changes.get()?;
        Some(swaps)
    }
}
