//! Lets somebody act, moves the clock, and lets the fault fall.

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Fallen, Place, Stage};
use crate::steps::clock::TICK;
use crate::steps::fault::{Fault, patience};
use crate::world::{Held, Moment, Step, Verdict};

/// How many ticks without a step it takes until those who wait for a silent server are taken to do nothing else.
const QUIET: u32 = 6;
/// How many ticks whoever acts may take. Everything here takes a few milliseconds.
const FOREVER: u32 = 20_000;

/// How acting ended.
pub(in crate::steps) enum Acted<T> {
    Ended(T),
    Killed,
    /// It stands where the test holds it.
    Holds,
}

/// A server that says nothing until whoever asks has given up.
pub(super) struct Silence {
    held: Held,
    step: Step,
    quiet: u32,
    steps: usize,
}

impl Stage {
    /// Lets somebody act until the end, or until the fault kills it.
    pub(in crate::steps) async fn perform<T: Send + 'static>(
        &mut self,
        acting: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let mut task = tokio::spawn(acting);
        match self.drive(&mut task, &Notify::new()).await {
            Acted::Ended(value) => Some(value),
            Acted::Killed => None,
            Acted::Holds => unreachable!("nobody notifies"),
        }
    }

    /// Lets somebody act until the end, until the fault kills it, or until `holds` says so.
    pub(in crate::steps) async fn drive<T>(&mut self, task: &mut JoinHandle<T>, holds: &Notify) -> Acted<T> {
        for _ in 0..FOREVER {
            tokio::select! {
                biased;
                ended = &mut *task => {
                    self.end_silence().await;
                    match ended {
                        Ok(value) => return Acted::Ended(value),
                        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                    }
                }
                Some((held, step)) = self.reached.recv() => {
                    if self.fall(held, step, task).await {
                        return Acted::Killed;
                    }
                }
                () = holds.notified() => return Acted::Holds,
                () = self.clock.tick() => self.pass_time().await,
            }
        }
        panic!("it does not end, in {:?}", self.plan);
    }

    /// The fault falls. Answers whether it killed the one who acts.
    async fn fall<T>(&mut self, held: Held, step: Step, task: &mut JoinHandle<T>) -> bool {
        let fault = self.fault().unwrap();
        self.fallen = Some(Fallen {
            woven: self.woven().await,
            asked: self.world.model.asked_for(),
        });
        if fault.kills() {
            task.abort();
            // It may have ended in the same moment, which is as good.
            let _ = task.await;
            self.process = None;
        }
        let verdict = match fault {
            Fault::Kill => Verdict::Cut,
            Fault::KillAndLeaseEnds => {
                self.end_lease().await;
                Verdict::Cut
            }
            Fault::KillAndFlush => {
                self.flush().await;
                Verdict::Cut
            }
            Fault::Cut => Verdict::Cut,
            Fault::Silence => {
                self.silence = Some(Silence {
                    held,
                    step,
                    quiet: 0,
                    steps: 0,
                });
                return false;
            }
            Fault::Flush => {
                self.flush().await;
                Verdict::Go
            }
            Fault::LeaseEnds | Fault::TriggersLost | Fault::QueueLost | Fault::SessionLost => {
                let name = self.key_of(fault.lost_key().unwrap());
                let _: u64 = self.command(&["DEL", &name]).await;
                self.forgot |= fault == Fault::TriggersLost;
                Verdict::Go
            }
            Fault::EventsLost => {
                self.world.lambda.lose_events();
                Verdict::Go
            }
            Fault::PersonSaves => {
                self.person_saves().await;
                Verdict::Go
            }
        };
        held.end(verdict);
        fault.kills()
    }

    /// Time passes a little; much, where all wait for a silent server.
    async fn pass_time(&mut self) {
        let steps = self.places.lock().unwrap().len();
        let Some(silence) = &mut self.silence else {
            return tokio::time::advance(TICK).await;
        };
        silence.quiet = if silence.steps == steps {
            silence.quiet + 1
        } else {
            0
        };
        silence.steps = steps;
        if silence.quiet < QUIET {
            return tokio::time::advance(TICK).await;
        }
        silence.quiet = 0;
        let jump = patience(silence.step.wire);
        tokio::time::advance(jump).await;
    }

    /// The silent server speaks again, to nobody: it does what it was asked.
    async fn end_silence(&mut self) {
        let Some(silence) = self.silence.take() else {
            return;
        };
        let after = Step {
            moment: Moment::After,
            ..silence.step.clone()
        };
        let done = |places: &[Place]| places.iter().filter(|place| place.step == after).count();
        let before = done(&self.places.lock().unwrap());
        silence.held.end(Verdict::Go);
        if silence.step.moment == Moment::After {
            return;
        }
        for _ in 0..100 {
            if done(&self.places.lock().unwrap()) > before {
                return;
            }
            self.clock.tick().await;
        }
    }
}
