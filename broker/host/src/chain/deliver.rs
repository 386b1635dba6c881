//! May this identity have these messages?

use std::time::Instant;

use super::authz::Course;
use super::{Chains, IMPLEMENTATION_SPECIFIC, Walk, remembered_refusal};
use crate::contract::{DeliveryQuestion, Denial, Hook};
use crate::identities::Identity;
use crate::plugin::{AuthorizeDeliver, AuthzAnswer, Generation};
use crate::verdicts::{Action, Known, Verdict};

/// What is known of one message: nothing yet; that it may be sent; why it may not.
pub(crate) type Ruled = Option<Option<Denial>>;

impl Chains {
    /// What need not be asked, because it was a while ago.
    pub(crate) fn known_deliveries(&self, who: &Identity, questions: &[DeliveryQuestion], now_ms: u64) -> Vec<Ruled> {
        let known =
            |question: &DeliveryQuestion| match self.verdicts.find(who, Action::Deliver, &question.topic, now_ms) {
                Known::Verdict(verdict) => Some(remembered(verdict)),
                Known::Permissions(_) => None,
            };
        questions.iter().map(known).collect()
    }

    /// One entry per message: nothing, or why it may not be sent.
    pub(crate) async fn authorize_deliver(
        &self,
        who: &Identity,
        questions: &[DeliveryQuestion],
        known: Vec<Ruled>,
        now_ms: u64,
    ) -> Vec<Option<Denial>> {
        let mut walk = Walk::begin(Hook::AuthzDeliver, IMPLEMENTATION_SPECIFIC, Instant::now());
        let open = |(question, ruled)| Open { question, course: Course::default(), ruled };
        let mut open: Vec<Open<'_>> = questions.iter().zip(known).map(open).collect();
        for seat in self.deliver.iter().filter(|seat| seat.concerns_identity(who)) {
            let mut waiting: Vec<&mut Open<'_>> = open.iter_mut().filter(|open| open.ruled.is_none()).collect();
            if waiting.is_empty() {
                break;
            }
            let deliveries: Vec<&DeliveryQuestion> = waiting.iter().map(|open| open.question).collect();
            let question = |_: &Generation| AuthorizeDeliver { who, deliveries: &deliveries };
            let (plugin, answers) = seat.ask(&who.client_id, question, &mut walk.now).await;
            let answers: Vec<AuthzAnswer> = match answers {
                Ok(answers) => answers,
                Err(error) => match walk.failed(plugin, error) {
                    Some(denial) => {
                        for open in waiting {
                            let last = self.last_decided(plugin, who, Action::Deliver, &open.question.topic, now_ms);
                            open.ruled = Some(last.map_or_else(|| Some(denial.clone()), remembered));
                        }
                        break;
                    }
                    None => waiting.iter_mut().map(|open| open.course.failed()).collect(),
                },
            };
            for (open, answer) in waiting.into_iter().zip(answers) {
                let Some(verdict) = open.course.step(plugin, answer) else { continue };
                if !open.course.has_failed {
                    let (topic, reuse) = (&open.question.topic, open.course.reuse());
                    self.verdicts.keep(who, Action::Deliver, topic, &reuse, &verdict, now_ms);
                }
                open.ruled = Some(ruling(&walk, plugin, verdict));
            }
        }
        open.into_iter().map(|open| open.ruled.unwrap_or_else(|| Some(walk.nobody()))).collect()
    }
}

/// One message on its way through the chain.
struct Open<'a> {
    question: &'a DeliveryQuestion,
    course: Course,
    ruled: Ruled,
}

fn ruling(walk: &Walk, plugin: &Generation, verdict: Verdict) -> Option<Denial> {
    match verdict {
        Verdict::Allow { .. } => None,
        Verdict::Deny { code, reason, .. } => Some(walk.refused(plugin, code, reason)),
    }
}

fn remembered(verdict: Verdict) -> Option<Denial> {
    match verdict {
        Verdict::Allow { .. } => None,
        Verdict::Deny { code, reason, plugin } => Some(remembered_refusal(Hook::AuthzDeliver, code, reason, plugin)),
    }
}
