//! What can go wrong, and how often it may in one check.

/// Something that may go wrong, or that a person may do, a bounded number of times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Fault {
    /// An invocation is killed before one of its steps.
    Kill,
    /// Lambda delivers an event twice.
    Duplicate,
    /// A lease runs out under a live holder.
    LeaseExpires,
    /// FLUSHALL.
    Flush,
    /// A failover forgets the last write.
    Failover,
    /// The trigger hash is lost, the queue stays.
    LoseTriggers,
    /// The queue is lost, the triggers stay.
    LoseQueue,
    /// The backlog's shard is lost.
    LoseBacklog,
    /// The session is lost.
    LoseSession,
    /// A Redis request fails, and nothing was done.
    Redis,
    /// A Redis request is done, and its answer is lost.
    RedisAnswer,
    /// An S3 request fails, and nothing was done.
    S3,
    /// The document's PUT is done, and its answer is lost.
    PutAnswer,
    /// The model's service fails.
    Model,
    /// The model's answer can't be used.
    BadAnswer,
    /// An invoke fails: record's, the handing on, the sweeper's.
    Invoke,
    /// Lambda loses its queue.
    LambdaQueue,
    /// A person saves the document.
    Save,
    /// A person switches the scribe off. On again costs nothing.
    Off,
    /// A person replays a parked turn.
    Replay,
    /// The sweeper looks although something is still under way.
    EarlySweep,
}

/// How often each fault may still come: three bits for each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Faults(u64);

impl Faults {
    /// These, each as often as it says.
    #[must_use]
    pub fn of(faults: &[(Fault, u8)]) -> Self {
        let sum = faults
            .iter()
            .map(|&(fault, times)| u64::from(times.min(7)) << (3 * fault as u8));
        Self(sum.sum())
    }

    /// How often it may still come.
    #[must_use]
    pub fn left(self, fault: Fault) -> u8 {
        u8::try_from(self.0 >> (3 * fault as u8) & 7).unwrap_or_default()
    }

    /// Takes one; answers whether there was one.
    pub(crate) fn take(&mut self, fault: Fault) -> bool {
        let there = self.left(fault) > 0;
        if there {
            self.0 -= 1 << (3 * fault as u8);
        }
        there
    }
}
