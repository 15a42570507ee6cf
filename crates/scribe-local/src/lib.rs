//! Everything that `make run` starts beside the project's own binaries: stand-ins for Lambda, S3 and a model,
//! Redis, and the API. The binaries are those of the cloud; only endpoints differ.

pub mod children;
pub mod durable_file;
pub mod import;
pub mod invoke;
pub mod lambda;
pub mod model;
pub mod run;
pub mod s3;
pub mod stack;
mod token;
