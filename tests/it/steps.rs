//! One run for each step at which a fault can fall, with a paused clock: the exhaustive counterpart of random faults.
//!
//! A scenario runs once without a fault, and the gate lists its steps: each request on the four wires, before and after
//! its server has done it. Then it runs again for each of these steps and each fault that can fall there. Nobody keeps
//! a list of steps by hand, so a new request is covered as soon as it is sent.
//! After each run everything recovers as in production, and the verdict is the promises: once, in order, never lost,
//! people win, and the model paid once a turn.

mod acting;
mod chatting;
mod clock;
mod failing;
mod fault;
mod recovery;
mod replacing;
mod run;
mod stage;
mod sweeping;
mod switching;
mod turns;
mod verdict;
