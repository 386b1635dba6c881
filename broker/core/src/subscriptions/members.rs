//! An ordered set of routes with at most one per subscriber.

use hashbrown::HashMap;

use super::{Route, Subscriber};

/// Routes in the order their Subscriptions were made, found by subscriber in constant time however many there are.
pub(super) struct Members<S> {
    routes: Vec<Route<S>>,
    /// Where each subscriber's route stands; kept only above `SCAN_MAX`, below it looking at all is quicker.
    positions: Option<Box<Positions>>,
}

/// Subscriber identifiers are the broker's own numbers, so their hash needs no secret.
type Positions = HashMap<u64, usize, foldhash::fast::FixedState>;

/// Up to this many routes are searched one by one.
const SCAN_MAX: usize = 16;

impl<S: Subscriber> Members<S> {
    pub(super) fn new() -> Self {
        Self { routes: Vec::new(), positions: None }
    }

    pub(super) fn as_slice(&self) -> &[Route<S>] {
        &self.routes
    }

    /// Adds the route, or replaces the one of the same subscriber in place and says so.
    pub(super) fn put(&mut self, route: Route<S>) -> bool {
        let id = route.subscriber.id();
        if let Some(position) = self.position(id) {
            self.routes[position] = route;
            return true;
        }
        if let Some(positions) = &mut self.positions {
            positions.insert(id, self.routes.len());
        }
        self.routes.push(route);
        if self.routes.len() > SCAN_MAX && self.positions.is_none() {
            let entries = self.routes.iter().enumerate();
            self.positions = Some(Box::new(entries.map(|(at, route)| (route.subscriber.id(), at)).collect()));
        }
        false
    }

    /// Removes the subscriber's route and says whether there was one. The last route takes its place.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let Some(position) = self.position(id) else { return false };
        self.routes.swap_remove(position);
        if let Some(positions) = &mut self.positions {
            positions.remove(&id);
            if let Some(moved) = self.routes.get(position) {
                positions.insert(moved.subscriber.id(), position);
            }
        }
        if self.routes.len() < SCAN_MAX / 2 {
            self.positions = None;
        }
        if self.routes.len() < self.routes.capacity() / 4 {
            self.routes.shrink_to(self.routes.len() * 2);
        }
        true
    }

    /// The only route, taken out, if there is exactly one.
    pub(super) fn take_only(&mut self) -> Option<Route<S>> {
        if self.routes.len() == 1 { self.routes.pop() } else { None }
    }

    /// Where the subscriber's route stands.
    pub(super) fn position(&self, id: u64) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(&id).copied(),
            None => self.routes.iter().position(|route| route.subscriber.id() == id),
        }
    }
}
