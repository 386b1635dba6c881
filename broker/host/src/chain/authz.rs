//! May this identity do that?

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Chains, IMPLEMENTATION_SPECIFIC, NOT_AUTHORIZED, Walk};
use crate::contract::{Denial, DenialCause, Hook, Permission, QoS, Ruling, SubscriptionQuestion};
use crate::identities::Identity;
use crate::plugin::{AuthorizePublish, AuthorizeSubscribe, AuthzAnswer, Generation, Permissions, Reuse, Vote};
use crate::rules::Rules;
use crate::verdicts::{Action, Placed, Verdict};

impl Chains {
    /// The whole authorization of an identity as data, or `None` if plugins must be asked per action.
    pub(crate) async fn permissions(&self, who: &Identity) -> Result<Option<Vec<Permission>>, Denial> {
        let found = self.ask_permissions(who).await?;
        // Behind a plugin that wants to be asked, permissions are for the host to evaluate.
        Ok(found.and_then(|(position, permissions)| (position == 0).then_some(permissions)))
    }

    pub(crate) fn first_authorizer(&self) -> Option<Arc<str>> {
        self.authz.first().map(|plugin| Arc::clone(plugin.name()))
    }

    pub(crate) fn known_publish(&self, who: &Identity, topic: &str, qos: QoS, retain: bool) -> Option<Ruling> {
        let verdict = self.verdicts.find(who, Action::Publish { qos, retain }, topic, Instant::now())?;
        Some(remembered(verdict))
    }

    pub(crate) async fn authorize_publish(&self, who: &Identity, topic: &str, qos: QoS, retain: bool) -> Ruling {
        let walk = walk();
        let placed = match self.placed(who).await {
            Ok(placed) => placed,
            Err(denial) => return Ruling::denied(denial),
        };
        let mut course = Course::default();
        for (position, plugin) in self.authz.iter().enumerate() {
            let answer = match natively(&placed, position) {
                Some(rules) => natural(rules.publish(topic, qos, retain)),
                None => match plugin.call(&AuthorizePublish { who, topic, qos, retain }).await {
                    Ok(answer) => answer,
                    Err(error) => match walk.failed(plugin, error) {
                        Some(denial) => return Ruling::denied(denial),
                        None => course.failed(),
                    },
                },
            };
            let answer = cap_publish(answer, qos);
            if let Some(verdict) = course.step(plugin, answer) {
                let action = Action::Publish { qos, retain };
                self.verdicts.keep(who, action, topic, &course.reuse(), verdict.clone(), Instant::now());
                return ruling(&walk, plugin, verdict);
            }
        }
        Ruling::denied(walk.nobody())
    }

    pub(crate) async fn authorize_subscribe(&self, who: &Identity, questions: &[SubscriptionQuestion]) -> Vec<Ruling> {
        let walk = walk();
        let placed = match self.placed(who).await {
            Ok(placed) => placed,
            Err(denial) => return vec![Ruling::denied(denial); questions.len()],
        };
        let now = Instant::now();
        let mut open: Vec<Open<'_>> = questions.iter().map(|question| self.open(who, question, now)).collect();
        for (position, plugin) in self.authz.iter().enumerate() {
            let mut pending: Vec<&mut Open<'_>> = open.iter_mut().filter(|open| open.ruling.is_none()).collect();
            if pending.is_empty() {
                break;
            }
            let answers = match natively(&placed, position) {
                Some(rules) => pending.iter().map(|open| natural(rules.subscribe(&open.question.filter))).collect(),
                None => {
                    let subscriptions: Vec<_> = pending.iter().map(|open| open.question).collect();
                    let subscriptions = &subscriptions;
                    match plugin.call(&AuthorizeSubscribe { who, subscriptions }).await {
                        Ok(answers) => answers,
                        Err(error) => match walk.failed(plugin, error) {
                            Some(denial) => {
                                pending.iter_mut().for_each(|open| open.ruling = Some(Ruling::denied(denial.clone())));
                                break;
                            }
                            None => pending.iter_mut().map(|open| open.course.failed()).collect(),
                        },
                    }
                }
            };
            for (open, answer) in pending.into_iter().zip(answers) {
                if let Some(verdict) = open.course.step(plugin, answer) {
                    self.keep_subscription(who, open, verdict.clone());
                    open.ruling = Some(ruling(&walk, plugin, verdict));
                }
            }
        }
        open.into_iter().map(|open| open.ruling.unwrap_or_else(|| Ruling::denied(walk.nobody()))).collect()
    }

    fn open<'a>(&self, who: &Identity, question: &'a SubscriptionQuestion, now: Instant) -> Open<'a> {
        let known = match question.share {
            // A plugin may judge a shared subscription by its name, which no filter covers.
            Some(_) => None,
            None => self.verdicts.find(who, action(question), &question.filter, now),
        };
        Open { question, course: Course::default(), ruling: known.map(remembered) }
    }

    fn keep_subscription(&self, who: &Identity, open: &Open<'_>, verdict: Verdict) {
        if open.question.share.is_none() {
            let (action, filter) = (action(open.question), &open.question.filter);
            self.verdicts.keep(who, action, filter, &open.course.reuse(), verdict, Instant::now());
        }
    }

    /// The permissions that stand somewhere in the chain; asked for once per identity.
    async fn placed(&self, who: &Identity) -> Result<Option<Placed>, Denial> {
        match self.verdicts.placed(who) {
            Some(placed) => Ok(placed),
            None => {
                self.ask_permissions(who).await?;
                Ok(self.verdicts.placed(who).flatten())
            }
        }
    }

    async fn ask_permissions(&self, who: &Identity) -> Result<Option<(usize, Vec<Permission>)>, Denial> {
        let walk = walk();
        for (position, plugin) in self.authz.iter().enumerate() {
            match plugin.call(&Permissions { who }).await {
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

/// One filter of a SUBSCRIBE on its way through the chain.
struct Open<'a> {
    question: &'a SubscriptionQuestion,
    course: Course,
    ruling: Option<Ruling>,
}

/// What the plugins asked so far allow in the way of reuse. The verdict is reused only as long as each of them would
/// say the same.
#[derive(Default)]
struct Course {
    asked: usize,
    ttl: Option<Duration>,
    covers: Option<String>,
}

impl Course {
    /// Takes the next plugin's answer. Some: the chain ends here.
    fn step(&mut self, plugin: &Generation, answer: AuthzAnswer) -> Option<Verdict> {
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
    fn failed(&self) -> AuthzAnswer {
        AuthzAnswer { vote: Vote::Next, reuse: NO_REUSE }
    }

    /// Filters of several plugins are not intersected: the verdict of two or more holds for its own topic.
    fn reuse(&self) -> Reuse {
        Reuse { ttl: self.ttl.unwrap_or_default(), covers: self.covers.clone().filter(|_| self.asked == 1) }
    }
}

fn walk() -> Walk {
    Walk::begin(Hook::Authz, IMPLEMENTATION_SPECIFIC)
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
        Verdict::Deny { code, reason, plugin } => Ruling::denied(Denial {
            code,
            reason,
            plugin,
            hook: Hook::Authz,
            took: Duration::ZERO,
            cause: DenialCause::Refused,
        }),
    }
}

const fn action(question: &SubscriptionQuestion) -> Action {
    Action::Subscribe { qos: question.qos, no_local: question.no_local }
}

const NO_REUSE: Reuse = Reuse { ttl: Duration::ZERO, covers: None };
