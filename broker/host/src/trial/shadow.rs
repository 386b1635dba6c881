//! A generation that is asked too and not obeyed: its questions wait in a queue of their own, and no client waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::contract::{Disagreement, Hook, ShadowStatus, TrialLimits};
use crate::error::{HookError, HookFailure};
use crate::imports::{Pass, Rate};
use crate::load::Loaded;
use crate::plugin::KeptQuestion;

/// The door to a shadow. When it is dropped, the shadow is asked no more.
pub(crate) struct Shadow {
    questions: mpsc::Sender<Asked>,
    seen: Arc<Seen>,
}

/// A question, and what the generation in force answered.
struct Asked {
    question: KeptQuestion,
    client_id: String,
    hook: Hook,
    answered: Result<String, String>,
    at_ms: u64,
}

/// What was found so far.
struct Seen {
    agreed: AtomicU64,
    disagreed: AtomicU64,
    skipped: AtomicU64,
    /// Questions that it could not answer and the generation in force could …
    failed: AtomicU64,
    /// … because it broke.
    broken: AtomicU64,
    disagreements: Mutex<VecDeque<Disagreement>>,
    disagreements_max: usize,
    lines: Rate,
}

impl Shadow {
    pub(super) fn start(candidate: &Arc<Loaded>, limits: &TrialLimits, runtime: &Handle) -> Self {
        let (questions, mut asked) = mpsc::channel::<Asked>(limits.questions_max.max(1));
        let seen = Arc::new(Seen {
            agreed: AtomicU64::new(0),
            disagreed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            disagreements: Mutex::default(),
            disagreements_max: limits.disagreements_max,
            lines: Rate::new(LINES_PER_SECOND, Instant::now()),
        });
        let (generation, noting) = (Arc::clone(&candidate.generation), Arc::clone(&seen));
        let identities = Arc::clone(candidate.shared.identities_table());
        runtime.spawn(async move {
            while let Some(asked) = asked.recv().await {
                // A client that is gone cannot be asked about.
                if let Some(answer) = asked.question.ask(&generation, &identities).await {
                    noting.compare(asked, answer);
                }
            }
        });
        Self { questions, seen }
    }

    /// Puts a question to it that the generation in force has answered. Never waits.
    pub(crate) fn ask(&self, question: KeptQuestion, client_id: &str, hook: Hook, answered: Result<String, String>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let asked = Asked { question, client_id: client_id.to_owned(), hook, answered, at_ms };
        if self.questions.try_send(asked).is_err() {
            self.seen.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self) -> u64 {
        self.seen.failed.load(Ordering::Relaxed)
    }

    pub(super) fn broken(&self) -> u64 {
        self.seen.broken.load(Ordering::Relaxed)
    }

    pub(super) fn status(&self) -> ShadowStatus {
        ShadowStatus {
            agreed: self.seen.agreed.load(Ordering::Relaxed),
            disagreed: self.seen.disagreed.load(Ordering::Relaxed),
            skipped: self.seen.skipped.load(Ordering::Relaxed),
            disagreements: self.seen.disagreements.lock().iter().cloned().collect(),
        }
    }
}

impl Seen {
    fn compare(&self, asked: Asked, answer: Result<String, HookError>) {
        if let (Ok(_), Err(error)) = (&asked.answered, &answer) {
            self.failed.fetch_add(1, Ordering::Relaxed);
            let spared = matches!(
                error.failure,
                HookFailure::Backend(_) | HookFailure::Overloaded(_) | HookFailure::BreakerOpen
            );
            if !spared {
                self.broken.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (current, candidate) = match (asked.answered, answer) {
            (Ok(current), Ok(candidate)) if current == candidate => return Self::add(&self.agreed),
            // Neither knows, for whatever reasons.
            (Err(_), Err(_)) => return Self::add(&self.agreed),
            (current, candidate) => (
                current.unwrap_or_else(|failure| format!("failed: {failure}")),
                candidate.unwrap_or_else(|error| format!("failed: {}", error.failure)),
            ),
        };
        Self::add(&self.disagreed);
        let about = asked.question.about();
        let Asked { client_id, hook, at_ms, .. } = asked;
        if let Pass::Yes { refused_before } = self.lines.pass(Instant::now()) {
            tracing::warn!(
                client_id, %hook, about, current, candidate, more = refused_before,
                "the shadow disagrees with the plugin, which is obeyed"
            );
        }
        if self.disagreements_max == 0 {
            return;
        }
        let disagreement = Disagreement {
            at_ms,
            client_id: cut(client_id),
            hook,
            about: cut(about),
            current: cut(current),
            candidate: cut(candidate),
        };
        let mut kept = self.disagreements.lock();
        if kept.len() >= self.disagreements_max {
            kept.pop_front();
        }
        kept.push_back(disagreement);
    }

    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Cuts a text that a client or plugin chose to a length that can be kept.
fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// All disagreements are counted, and as many as are kept can be listed.
const LINES_PER_SECOND: u32 = 10;

/// Characters of a disagreement's texts that are kept.
const TEXT_CHARS_MAX: usize = 200;
