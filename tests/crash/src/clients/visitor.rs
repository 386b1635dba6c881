//! A client whose sessions come and go: whether Session Present tells the truth.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::channel::{Channel, Gone, Hello, Login};
use crate::ledger::Wrong;
use crate::random::Random;
use crate::story::Story;

/// What it knows of its session.
pub(crate) struct Visitor {
    client_id: String,
    known: Known,
    pub(crate) wrong: Vec<Wrong>,
    random: Random,
    story: Arc<Story>,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    /// There is none.
    Absent,
    /// There is one that never ends.
    Present,
    /// Its connection ended then, and it ends [`SHORT_S`] after that; or, if the broker was killed before it had noted that, as
    /// long after it is back.
    Ending { since: Instant, is_noted: bool },
    /// A CONNECT was under way when the broker was killed.
    Unknown,
}

/// How long a short session is kept.
const SHORT_S: u32 = 1;
/// The Session Expiry Intervals it asks for.
const EXPIRIES: [u32; 3] = [0, SHORT_S, u32::MAX];
/// How much longer than that a session may live: the broker's clock counts seconds, and machines are busy.
const SLACK: Duration = Duration::from_millis(1500);
/// How much time the broker has to note that a connection ended before it is killed.
const NOTED: Duration = Duration::from_millis(500);

impl Visitor {
    pub(crate) fn new(number: u64, seed: u64, story: &Arc<Story>) -> Self {
        Self {
            client_id: format!("visitor-{number}"),
            known: Known::Absent,
            wrong: Vec::new(),
            random: Random::new(seed ^ number << 48),
            story: Arc::clone(story),
        }
    }

    /// Comes and goes until the broker does.
    pub(crate) fn work(&mut self, address: SocketAddr, loses_power: bool, stop: &AtomicBool) {
        self.come_and_go(address, stop);
        if let Known::Ending { since, is_noted } = &mut self.known {
            // Nobody was promised that it is noted, so it may not be safe.
            *is_noted &= !loses_power && since.elapsed() > NOTED;
        }
    }

    fn come_and_go(&mut self, address: SocketAddr, stop: &AtomicBool) {
        let mut connection: Option<(Channel, u32)> = None;
        while !stop.load(Ordering::Relaxed) {
            let expiry = EXPIRIES[self.random.below(3) as usize];
            let clean_start = self.random.below(2) == 0;
            let old = connection.take();
            match self.connect(address, clean_start, expiry) {
                // Where there is an old connection, this one took the session from it.
                Ok(channel) => connection = Some((channel, expiry)),
                // Whether the broker did anything before it went is unknown.
                Err(Gone) => return,
            }
            drop(old);
            if !self.stay(&mut connection, stop) {
                break;
            }
        }
        if let Some((_, expiry)) = connection {
            self.closed(expiry);
            if let Known::Ending { is_noted, .. } = &mut self.known {
                *is_noted = false;
            }
        }
    }

    /// Stays for a while, leaves or lets the next connection take over; whether the broker is still there.
    fn stay(&mut self, connection: &mut Option<(Channel, u32)>, stop: &AtomicBool) -> bool {
        let until = Instant::now() + Duration::from_millis(self.random.below(40));
        let how = self.random.below(10);
        while Instant::now() < until || how == 9 {
            let Some((channel, _)) = connection else { break };
            if stop.load(Ordering::Relaxed) || channel.receive(until.max(Instant::now() + PAUSE), |_| ()).is_err() {
                return false;
            }
        }
        match (how, connection.take()) {
            (0..3, taken_over) => *connection = taken_over,
            (3..6, Some((channel, expiry))) => {
                channel.drop_connection();
                self.closed(expiry);
            }
            (_, Some((channel, expiry))) => {
                channel.disconnect();
                self.closed(expiry);
            }
            (_, None) => {}
        }
        // Some visits are the last before the kill.
        while connection.is_none() && how == 8 && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// Comes back for a session of before, and checks what it is told.
    pub(crate) fn come_back(&mut self, address: SocketAddr) {
        let expected = self.expected();
        let known = self.known;
        let Ok(Hello::Welcome { channel, session_present }) =
            Channel::connect(address, Login::forever(&self.client_id))
        else {
            return self.is_wrong("could not come back".to_owned());
        };
        self.story.tell(&self.client_id, None, format!("is back, session present: {session_present}"));
        if expected.is_some_and(|expected| expected != session_present) {
            self.is_wrong(format!("session present: {session_present}, its session: {known:?}"));
        }
        channel.disconnect();
        self.known = Known::Present;
    }

    fn expected(&self) -> Option<bool> {
        match self.known {
            Known::Absent => Some(false),
            Known::Present => Some(true),
            Known::Unknown => None,
            Known::Ending { since, .. } if since.elapsed() < Duration::from_millis(500) => Some(true),
            Known::Ending { since, is_noted } => {
                let is_over = since.elapsed() > Duration::from_secs(SHORT_S.into()) + SLACK;
                (is_noted && is_over).then_some(false)
            }
        }
    }

    fn connect(&mut self, address: SocketAddr, clean_start: bool, session_expiry: u32) -> Result<Channel, Gone> {
        let expected = if clean_start { Some(false) } else { self.expected() };
        let known = std::mem::replace(&mut self.known, Known::Unknown);
        let login = Login { clean_start, session_expiry, ..Login::forever(&self.client_id) };
        self.story.tell(
            &self.client_id,
            None,
            format!("connects, clean start: {clean_start}, expiry {session_expiry}"),
        );
        match Channel::connect(address, login)? {
            Hello::Welcome { channel, session_present } => {
                self.story.tell(&self.client_id, None, format!("is connected, session present: {session_present}"));
                if expected.is_some_and(|expected| expected != session_present) {
                    self.is_wrong(format!("session present: {session_present}, its session: {known:?}"));
                }
                // A session that ends with its connection ends also where that is taken over.
                self.known = if session_expiry == 0 { Known::Absent } else { Known::Present };
                Ok(channel)
            }
            Hello::Refused(reason) => {
                self.is_wrong(format!("refused with {reason}"));
                Err(Gone)
            }
        }
    }

    fn closed(&mut self, expiry: u32) {
        self.story.tell(&self.client_id, None, format!("is disconnected, expiry {expiry}"));
        self.known = match expiry {
            0 => Known::Absent,
            SHORT_S => Known::Ending { since: Instant::now(), is_noted: true },
            _ => Known::Present,
        };
    }

    fn is_wrong(&mut self, what: String) {
        let client = self.client_id.clone();
        self.wrong.push(Wrong { what: format!("{client}: {what}"), name: None, client });
    }
}

const PAUSE: Duration = Duration::from_millis(5);
