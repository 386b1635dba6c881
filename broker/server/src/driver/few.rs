//! What few connections have, in one box: the others pay a pointer for it.

use super::{Authorizing, Load, Pace, Reauthentication};

/// Parts of a driver that most drivers lack. The box is gone when the last of them is.
#[derive(Default)]
pub(crate) struct Few(Option<Box<Parts>>);

#[derive(Default)]
struct Parts {
    /// None where no rate is limited.
    pace: Option<Box<Pace>>,
    /// Messages that are being read from the disk.
    load: Option<Load>,
    /// Messages that plugins are being asked about.
    authorizing: Option<Box<Authorizing>>,
    /// Present if CONNECT named an Authentication Method.
    reauthentication: Option<Box<Reauthentication>>,
}

impl Few {
    /// What a connection has from the beginning.
    pub(crate) fn new(pace: Option<Box<Pace>>, reauthentication: Option<Box<Reauthentication>>) -> Self {
        let mut few = Self::default();
        few.change(|parts| *parts = Parts { pace, reauthentication, ..Parts::default() });
        few
    }

    /// How fast the client may publish; none where that is not limited.
    pub(crate) fn pace(&mut self) -> Option<&mut Pace> {
        self.0.as_mut()?.pace.as_deref_mut()
    }

    /// The client's rate is another one from now on.
    pub(crate) fn set_pace(&mut self, pace: Option<Box<Pace>>) {
        self.change(|parts| parts.pace = pace);
    }

    /// Messages that are being read from the disk, if any are.
    pub(crate) fn load(&mut self) -> Option<&mut Load> {
        self.0.as_mut()?.load.as_mut()
    }

    /// Messages are being read from the disk, or are no longer.
    pub(crate) fn set_load(&mut self, load: Option<Load>) {
        self.change(|parts| parts.load = load);
    }

    /// Messages that plugins are being asked about, if there are any.
    pub(crate) fn authorizing(&mut self) -> Option<&mut Authorizing> {
        self.0.as_mut()?.authorizing.as_deref_mut()
    }

    /// Plugins are being asked about messages, or are no longer.
    pub(crate) fn set_authorizing(&mut self, authorizing: Option<Box<Authorizing>>) {
        if authorizing.is_some() || self.0.is_some() {
            self.change(|parts| parts.authorizing = authorizing);
        }
    }

    /// How far the client is with authenticating again; none where it named no Authentication Method.
    pub(crate) fn reauthentication(&mut self) -> Option<&mut Reauthentication> {
        self.0.as_mut()?.reauthentication.as_deref_mut()
    }

    fn change(&mut self, change: impl FnOnce(&mut Parts)) {
        change(self.0.get_or_insert_default());
        self.0.take_if(|parts| {
            let Parts { pace, load, authorizing, reauthentication } = &**parts;
            pace.is_none() && load.is_none() && authorizing.is_none() && reauthentication.is_none()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_without_any_of_it_has_no_box() {
        let mut few = Few::new(None, None);
        assert!(few.0.is_none() && few.pace().is_none() && few.load().is_none());
        few.set_pace(Pace::new(1, 0, midge_core::Time(0)));
        assert!(few.pace().is_some());
        few.set_pace(None);
        assert!(few.0.is_none());
    }
}
