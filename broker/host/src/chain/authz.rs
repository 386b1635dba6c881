//! May this identity do that?

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Chains, IMPLEMENTATION_SPECIFIC, NOT_AUTHORIZED, Walk, remembered_refusal};
use crate::contract::{Denial, Hook, OnError, Permission, QoS, Ruling, SubscriptionQuestion};
use crate::identities::Identity;
use crate::plugin::{AuthorizePublish, AuthorizeSubscribe, AuthzAnswer, Generation, Permissions, Reuse, Vote};
use crate::rules::Rules;
use crate::seat::Seat;
use crate::verdicts::{Action, Known, Placed, Verdict};

impl Chains {
    /// The whole authorization of an identity as data, or `None` if plugins must be asked per action.
    pub(crate) async fn permissions(&self, who: &Identity) -> Result<Option<Vec<Permission>>, Denial> {
        let found = self.ask_permissions(who, &mut walk(Instant::now())).await?;
        // Behind a plugin that wants to be asked, permissions are for the host to evaluate.
        let first = self.authorizers(who).next().map(|(position, _)| position);
        Ok(found.and_then(|(position, permissions)| (Some(position) == first).then_some(permissions)))
    }

    pub(crate) fn first_authorizer(&self, who: &Identity) -> Option<Arc<str>> {
        self.authorizers(who).next().map(|(_, seat)| Arc::clone(seat.name()))
    }

    /// What was last decided about a question that a plugin cannot answer now, if the operator wants that.
    pub(super) fn last_decided(
        &self,
        plugin: &Generation,
        who: &Identity,
        action: Action,
        asked: &str,
        now_ms: u64,
    ) -> Option<Verdict> {
        let OnError::Stale { max } = plugin.on_error() else { return None };
        self.verdicts.find_stale(who, action, asked, max, now_ms)
    }

    /// The plugins that are asked about an identity, with their places in the chain.
    fn authorizers(&self, who: &Identity) -> impl Iterator<Item = (usize, &Seat)> {
        self.authz.iter().enumerate().filter(|(_, seat)| seat.concerns_identity(who))
    }

    /// The ruling, if it is known; else the permissions of who asks.
    pub(crate) fn known_publish(
        &self,
        who: &Identity,
        question: &PublishQuestion<'_>,
    ) -> Result<Ruling, Option<Option<Placed>>> {
        match self.verdicts.find(who, question.action(), question.topic, question.now_ms) {
            Known::Verdict(verdict) => Ok(remembered(verdict)),
            Known::Permissions(placed) => Err(placed),
        }
    }

    /// Asks, after nothing was [known](Self::known_publish) but the permissions, if those.
    pub(crate) async fn authorize_publish(
        &self,
        who: &Identity,
        question: &PublishQuestion<'_>,
        placed: Option<Option<Placed>>,
    ) -> Ruling {
        let mut walk = walk(Instant::now());
        let placed = match self.or_asked(placed, who, &mut walk).await {
            Ok(placed) => placed,
            Err(denial) => return Ruling::denied(denial),
        };
        let PublishQuestion { topic, qos, retain, now_ms } = *question;
        let mut course = Course::default();
        for (position, seat) in self.authorizers(who) {
            let (plugin, answer) = match natively(&placed, position) {
                Some(rules) => (seat.current(), Ok(natural(rules.publish(topic, qos, retain)))),
                None => {
                    let question = |_: &Generation| AuthorizePublish { who, topic, qos, retain };
                    seat.ask(&who.client_id, question, &mut walk.now).await
                }
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    if let Some(last) = self.last_decided(plugin, who, question.action(), topic, now_ms) {
                        return remembered(last);
                    }
                    match walk.failed(plugin, error) {
                        Some(denial) => return Ruling::denied(denial),
                        None => course.failed(),
                    }
                }
            };
            let answer = cap_publish(answer, qos);
            if let Some(verdict) = course.step(plugin, answer) {
                if !course.has_failed {
                    self.verdicts.keep(who, question.action(), topic, &course.reuse(), &verdict, now_ms);
                }
                return ruling(&walk, plugin, verdict);
            }
        }
        Ruling::denied(walk.nobody())
    }

    pub(crate) async fn authorize_subscribe(
        &self,
        who: &Identity,
        questions: &[SubscriptionQuestion],
        now_ms: u64,
    ) -> Vec<Ruling> {
        let mut walk = walk(Instant::now());
        let placed = match self.or_asked(self.verdicts.placed(who), who, &mut walk).await {
            Ok(placed) => placed,
            Err(denial) => return vec![Ruling::denied(denial); questions.len()],
        };
        let mut open: Vec<Open<'_>> = questions.iter().map(|question| self.open(who, question, now_ms)).collect();
        for (position, seat) in self.authorizers(who) {
            let mut pending: Vec<&mut Open<'_>> = open.iter_mut().filter(|open| open.ruling.is_none()).collect();
            if pending.is_empty() {
                break;
            }
            let subscriptions: Vec<_> = pending.iter().map(|open| open.question).collect();
            let (plugin, answers) = match natively(&placed, position) {
                Some(rules) => {
                    let answers = subscriptions.iter().map(|question| natural(rules.subscribe(&question.filter)));
                    (seat.current(), Ok(answers.collect()))
                }
                None => {
                    let question = |_: &Generation| AuthorizeSubscribe { who, subscriptions: &subscriptions };
                    seat.ask(&who.client_id, question, &mut walk.now).await
                }
            };
            let answers: Vec<AuthzAnswer> = match answers {
                Ok(answers) => answers,
                Err(error) => match walk.failed(plugin, error) {
                    Some(denial) => {
                        for open in pending {
                            let (action, filter) = (action(open.question), &open.question.filter);
                            let last = self.last_decided(plugin, who, action, filter, now_ms);
                            let last = last.filter(|_| open.question.share.is_none()).map(remembered);
                            open.ruling = Some(last.unwrap_or_else(|| Ruling::denied(denial.clone())));
                        }
                        break;
                    }
                    None => pending.iter_mut().map(|open| open.course.failed()).collect(),
                },
            };
            for (open, answer) in pending.into_iter().zip(answers) {
                if let Some(verdict) = open.course.step(plugin, answer) {
                    self.keep_subscription(who, open, &verdict, now_ms);
                    open.ruling = Some(ruling(&walk, plugin, verdict));
                }
            }
        }
        open.into_iter().map(|open| open.ruling.unwrap_or_else(|| Ruling::denied(walk.nobody()))).collect()
    }

    fn open<'a>(&self, who: &Identity, question: &'a SubscriptionQuestion, now_ms: u64) -> Open<'a> {
        let known = match question.share {
            // A plugin may judge a shared subscription by its name, which no filter covers.
            Some(_) => None,
            None => match self.verdicts.find(who, action(question), &question.filter, now_ms) {
                Known::Verdict(verdict) => Some(remembered(verdict)),
                Known::Permissions(_) => None,
            },
        };
        Open { question, course: Course::default(), ruling: known }
    }

    fn keep_subscription(&self, who: &Identity, open: &Open<'_>, verdict: &Verdict, now_ms: u64) {
        if open.question.share.is_none() && !open.course.has_failed {
            let (action, filter) = (action(open.question), &open.question.filter);
            self.verdicts.keep(who, action, filter, &open.course.reuse(), verdict, now_ms);
        }
    }

    /// The permissions that stand somewhere in the chain; asked for once per identity.
    async fn or_asked(
        &self,
        known: Option<Option<Placed>>,
        who: &Identity,
        walk: &mut Walk,
    ) -> Result<Option<Placed>, Denial> {
        match known {
            Some(placed) => Ok(placed),
            None => {
                self.ask_permissions(who, walk).await?;
                Ok(self.verdicts.placed(who).flatten())
            }
        }
    }

    async fn ask_permissions(
        &self,
        who: &Identity,
        walk: &mut Walk,
    ) -> Result<Option<(usize, Vec<Permission>)>, Denial> {
        for (position, seat) in self.authorizers(who) {
            let question = |_: &Generation| Permissions { who };
            let (plugin, answer) = seat.ask(&who.client_id, question, &mut walk.now).await;
            match answer {
                Ok(Some(permissions)) => {
                    let rules = Arc::new(Rules::new(&permissions, who));
                    self.verdicts.place(who, Some(Placed { position, rules }));
                    return Ok(Some((position, permissions)));
                }
                Ok(None) => {}
                Err(error) => {
                    if let Some(denial) = walk.failed(plugin, error) {
                        return Err(denial);
                    }
                }
            }
        }
        self.verdicts.place(who, None);
        Ok(None)
    }
}

/// May this be published?
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublishQuestion<'a> {
    pub(crate) topic: &'a str,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// When it is asked, as in [`Verdicts::find`](crate::verdicts::Verdicts::find).
    pub(crate) now_ms: u64,
}

impl PublishQuestion<'_> {
    const fn action(&self) -> Action {
        Action::Publish { qos: self.qos, retain: self.retain }
    }
}

/// One filter of a SUBSCRIBE on its way through the chain.
struct Open<'a> {
    question: &'a SubscriptionQuestion,
    course: Course,
    ruling: Option<Ruling>,
}

/// What the plugins asked so far allow in the way of reuse. The verdict is reused only as long as each of them would
/// say the same.
#[derive(Default)]
pub(super) struct Course {
    asked: usize,
    ttl: Option<Duration>,
    covers: Option<String>,
    pub(super) has_failed: bool,
}

impl Course {
    /// Takes the next plugin's answer. Some: the chain ends here.
    pub(super) fn step(&mut self, plugin: &Generation, answer: AuthzAnswer) -> Option<Verdict> {
        self.asked += 1;
        let ttl = answer.reuse.ttl;
        self.ttl = Some(self.ttl.map_or(ttl, |before| before.min(ttl)));
        self.covers = answer.reuse.covers;
        match answer.vote {
            Vote::Allow { max_qos } => Some(Verdict::Allow { max_qos }),
            Vote::Deny { code, reason } => {
                Some(Verdict::Deny { code, reason, plugin: Some(Arc::clone(plugin.name())) })
            }
            Vote::Next => None,
        }
    }

    /// A failure that counts as `next`: whatever follows must not be reused.
    pub(super) fn failed(&mut self) -> AuthzAnswer {
        self.has_failed = true;
        AuthzAnswer { vote: Vote::Next, reuse: NO_REUSE }
    }

    /// Filters of several plugins are not intersected: the verdict of two or more holds for its own topic.
    pub(super) fn reuse(&self) -> Reuse {
        let covers = if self.asked == 1 { self.covers.clone() } else { None };
        Reuse { ttl: self.ttl.unwrap_or_default(), covers }
    }
}

fn walk(now: Instant) -> Walk {
    Walk::begin(Hook::Authz, IMPLEMENTATION_SPECIFIC, now)
}

fn natively(placed: &Option<Placed>, position: usize) -> Option<&Rules> {
    placed.as_ref().filter(|placed| placed.position == position).map(|placed| &*placed.rules)
}

/// A vote that took no call. It is as quick to take again as to remember.
const fn natural(vote: Vote) -> AuthzAnswer {
    AuthzAnswer { vote, reuse: NO_REUSE }
}

/// A yes up to a lower QoS than asked is a no.
fn cap_publish(answer: AuthzAnswer, qos: QoS) -> AuthzAnswer {
    match answer.vote {
        Vote::Allow { max_qos } if qos > max_qos => {
            AuthzAnswer { vote: Vote::Deny { code: NOT_AUTHORIZED, reason: None }, ..answer }
        }
        _ => answer,
    }
}

fn ruling(walk: &Walk, plugin: &Generation, verdict: Verdict) -> Ruling {
    match verdict {
        Verdict::Allow { max_qos } => Ruling::allowed(max_qos),
        Verdict::Deny { code, reason, .. } => Ruling::denied(walk.refused(plugin, code, reason)),
    }
}

fn remembered(verdict: Verdict) -> Ruling {
    match verdict {
        Verdict::Allow { max_qos } => Ruling::allowed(max_qos),
        Verdict::Deny { code, reason, plugin } => Ruling::denied(remembered_refusal(Hook::Authz, code, reason, plugin)),
    }
}

const fn action(question: &SubscriptionQuestion) -> Action {
    Action::Subscribe { qos: question.qos, no_local: question.no_local }
}

const NO_REUSE: Reuse = Reuse { ttl: Duration::ZERO, covers: None };
