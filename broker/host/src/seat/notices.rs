//! Sinks and observers of which one generation is in force and another on trial.

use std::sync::Arc;

use super::{Seat, client_of};
use crate::contract::{Delivery, Event, Outcome};
use crate::error::HookError;
use crate::notices::BoxFuture;
use crate::notices::events::Observe;
use crate::notices::sinks::Deliver;
use crate::notices::ticks::Tick;
use crate::plugin::Generation;
use crate::trial::Trial;

impl Seat {
    /// The trial in which any client is the new generation's.
    fn serving_trial(&self) -> Option<&Arc<Trial>> {
        self.trial.as_ref().filter(|trial| trial.serves_any())
    }

    /// Gives each message to the generation that serves its publisher, and puts the outcomes in the order of the batch.
    async fn deliver_shared(&self, trial: &Trial, batch: &[Delivery]) -> Result<Vec<Outcome>, HookError> {
        let is_candidates = |delivery: &Delivery| trial.serves(client_of(&delivery.inbound));
        let (theirs, ours): (Vec<Delivery>, Vec<Delivery>) = batch.iter().cloned().partition(is_candidates);
        let theirs = match wanted(trial.generation(), &theirs).await {
            Ok(outcomes) => outcomes,
            Err(failed) => {
                let outcomes = wanted(&self.current, &theirs).await?;
                trial.rescued(&failed.failure);
                outcomes
            }
        };
        // What the candidate has delivered is told even if the rest fails: else it would be delivered again.
        let ours = match wanted(&self.current, &ours).await {
            Ok(outcomes) => outcomes,
            Err(error) if theirs.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a part of a batch failed and is tried again");
                vec![Outcome::Retry(0); ours.len()]
            }
        };
        let (mut theirs, mut ours) = (theirs.into_iter(), ours.into_iter());
        let outcome = |delivery| if is_candidates(delivery) { theirs.next() } else { ours.next() };
        Ok(batch.iter().filter_map(outcome).collect())
    }
}

/// Has a generation deliver what it wants of a batch; the rest is none of its business and done.
async fn wanted(generation: &Generation, batch: &[Delivery]) -> Result<Vec<Outcome>, HookError> {
    let wants = |delivery: &Delivery| generation.wants(&delivery.inbound.message.topic);
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    if batch.iter().all(wants) {
        return generation.deliver(batch).await;
    }
    let asked: Vec<Delivery> = batch.iter().filter(|delivery| wants(delivery)).cloned().collect();
    let answered = if asked.is_empty() { Vec::new() } else { generation.deliver(&asked).await? };
    let mut answered = answered.into_iter();
    Ok(batch
        .iter()
        .map(|delivery| if wants(delivery) { answered.next() } else { None }.unwrap_or(Outcome::Done))
        .collect())
}

impl Deliver for Seat {
    fn deliver<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Result<Vec<Outcome>, HookError>> {
        Box::pin(async move {
            match self.serving_trial() {
                None => self.current.deliver(batch).await,
                Some(trial) => self.deliver_shared(trial, batch).await,
            }
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async move {
            if let Some(trial) = self.serving_trial() {
                trial.generation().flush().await?;
            }
            self.current.flush().await
        })
    }
}

impl Observe for Seat {
    fn on_events<'a>(&'a self, batch: &'a [Event]) -> BoxFuture<'a, Result<(), HookError>> {
        Box::pin(async move {
            let Some(trial) = self.serving_trial() else { return self.current.on_events(batch).await };
            let is_candidates = |event: &Event| trial.serves(event.client_id.as_deref().unwrap_or_default());
            let (theirs, ours): (Vec<Event>, Vec<Event>) = batch.iter().cloned().partition(is_candidates);
            let mut told = Ok(());
            if !theirs.is_empty()
                && let Err(failed) = trial.generation().on_events(&theirs).await
            {
                told = self.current.on_events(&theirs).await;
                self.note_rescue(&told, &failed);
            }
            // Whatever has become of those: these are others.
            if ours.is_empty() { told } else { self.current.on_events(&ours).await.and(told) }
        })
    }
}

impl Tick for Seat {
    /// One generation has turns. One that the new generation fails at is the other's.
    fn tick(&self) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async move {
            let generation = self.in_charge();
            let done = generation.tick().await;
            match done {
                Err(failed) if !Arc::ptr_eq(generation, &self.current) => {
                    let done = self.current.tick().await;
                    self.note_rescue(&done, &failed);
                    done
                }
                done => done,
            }
        })
    }
}
