//! Documents as they are read, edited by people and woven into: what must hold for any text and any answer.
//!
//! [`oracle`] says what that is. Everything else brings texts to hold against it: the examples of the CommonMark
//! specification, texts of our own, generated ones, bad answers, and the cases that a fuzzer begins with.

#![expect(
    clippy::disallowed_methods,
    reason = "cases are files; the crate itself reads none"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read its cases has failed"
)]
#![expect(
    clippy::print_stdout,
    reason = "a failed test shows its case, and figures are for those who ask for them"
)]

mod bad_answers;
mod case;
mod commonmark;
mod oracle;
mod people;
mod round_trips;
mod seeds;
