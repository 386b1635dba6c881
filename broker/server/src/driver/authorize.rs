//! Messages that plugins are asked about before the client gets them.
//!
//! Only they wait for the answer, with what is behind them in the session's queue: the client is read meanwhile, and whoever
//! published them has long gone on.

use std::task::{Context, Poll, ready};

use midge_core::DeliveryQuestion;
use midge_host::contract::{Answer, Denial, Hook};

use super::{Awaited, Driver, with_scratch};

/// Questions whose answers have to be waited for.
pub(crate) struct Authorizing {
    questions: Vec<DeliveryQuestion>,
    denials: Awaited<Vec<Option<Denial>>>,
}

impl Driver {
    /// Asks whether the client may have these.
    pub(super) fn authorize(&mut self, questions: Vec<DeliveryQuestion>) {
        if !self.is_asked_about() {
            return self.deliver_freely();
        }
        let now = self.node.clock.now();
        match self.client.ask_deliver(&self.node.host(), &questions, now) {
            Answer::Ready(denials) => self.conclude_authorizing(questions, denials),
            Answer::Later(denials) => {
                self.connection.session().await_verdicts(self.connection.number());
                self.few.set_authorizing(Some(Box::new(Authorizing { questions, denials })));
            }
        }
    }

    /// Takes the answer; pending where none is awaited, or it is not there.
    pub(super) fn poll_authorizing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(authorizing) = self.few.authorizing() else { return Poll::Pending };
        let denials = ready!(authorizing.denials.as_mut().poll(context));
        let questions = std::mem::take(&mut authorizing.questions);
        self.few.set_authorizing(None);
        self.conclude_authorizing(questions, denials);
        Poll::Ready(())
    }

    /// The client is known under another identity, or what was said of it holds no longer: answers that are awaited are not
    /// waited for, and what they were about is asked about again.
    pub(super) fn authorize_again(&mut self) {
        self.few.set_authorizing(None);
        if !self.node.host().has(Hook::AuthzDeliver) {
            return;
        }
        let now = self.node.clock.now();
        with_scratch(|scratch| {
            self.node.broker.ask_again(&mut self.connection, now, &mut scratch.effects);
            self.node.conclude(&mut scratch.effects, now);
        });
    }

    fn conclude_authorizing(&mut self, questions: Vec<DeliveryQuestion>, denials: Vec<Option<Denial>>) {
        debug_assert_eq!(questions.len(), denials.len(), "one answer for each message");
        let verdict = |(question, denial): (DeliveryQuestion, Option<Denial>)| {
            if let Some(denial) = &denial {
                self.node.delivery_denied(&self.client, question.message.topic(), denial);
            }
            (question, denial.is_none())
        };
        let verdicts = questions.into_iter().zip(denials).map(verdict).collect();
        let now = self.node.clock.now();
        with_scratch(|scratch| {
            self.node.broker.authorized(&mut self.connection, verdicts, now, &mut scratch.effects);
            self.node.conclude(&mut scratch.effects, now);
        });
    }

    /// No plugin is asked about clients of this listener.
    fn deliver_freely(&mut self) {
        let now = self.node.clock.now();
        with_scratch(|scratch| {
            self.node.broker.deliver_freely(&mut self.connection, now, &mut scratch.effects);
            self.node.conclude(&mut scratch.effects, now);
        });
        // Plugins that came into force meanwhile may have had all connections asked about before this one was let off.
        if self.is_asked_about() {
            self.authorize_again();
        }
    }

    fn is_asked_about(&self) -> bool {
        self.node.host().is_on(Hook::AuthzDeliver, &self.client.identity.listener)
    }
}
