//! Any bytes as a case of `tests/documents`: a document, whose its blocks are, a turn, a save by a person, an answer.
//! What must hold is said there, and every seed here is a test there.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/documents/case.rs"]
mod case;
#[path = "../../tests/documents/oracle.rs"]
mod oracle;

fuzz_target!(|bytes: &[u8]| case::check(&String::from_utf8_lossy(bytes)));
