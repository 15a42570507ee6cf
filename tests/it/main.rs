//! The whole thing, black box. Redis and S3 are real servers, the model and Lambda's front end are scripted ones, so
//! that the clients that ship run in every test.

// So that clippy takes what helpers do for what tests do.
#![cfg(test)]

mod world;

mod api;
mod api_fuzz;
mod boundaries;
mod chat;
mod cost;
mod events;
mod gate;
mod imports;
mod lambda_contract;
mod ledger;
mod live;
mod local_run;
mod media_assets;
mod model_check;
mod narrator;
mod pace;
mod page;
mod polling;
mod protocol;
mod quality;
mod redis_cluster;
mod replaces;
mod s3_contract;
mod saves;
mod settings;
mod soak;
mod stack;
mod steps;
mod sweeper;
mod taps;
mod undeclared_keys;
mod weaving;
