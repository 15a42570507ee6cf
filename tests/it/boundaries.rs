//! What each crate must not bring along. The table is the architecture's; a dependency that breaks it fails here.

use std::collections::{BTreeSet, HashMap};

use cargo_metadata::{DependencyKind, MetadataCommand, PackageId};

/// Crate, and what its own dependencies may not be. A word ending in `*` is a prefix.
const NEVER: [(&str, &[&str]); 6] = [
    (
        "scribe-core",
        &[
            "tokio",
            "redis",
            "reqwest",
            "aws-*",
            "axum",
            "hyper",
            "lambda_runtime",
            "jiff",
            "chrono",
            "rand",
            "uuid",
        ],
    ),
    (
        "scribe-trigger",
        &[
            "aws-sdk-s3",
            "reqwest",
            "axum",
            "lambda_runtime",
            "aws_lambda_events",
            "scribe-engine",
            "scribe-api",
            "scribe-local",
        ],
    ),
    (
        "scribe-engine",
        &[
            "axum",
            "lambda_runtime",
            "aws_lambda_events",
            "scribe-api",
            "scribe-local",
            "scribe-lambda",
        ],
    ),
    (
        "scribe-api",
        &[
            "lambda_runtime",
            "aws_lambda_events",
            "redis",
            "aws-*",
            "reqwest",
            "scribe-local",
            "scribe-lambda",
            "scribe-web",
        ],
    ),
    (
        "scribe-web",
        &[
            "scribe-*",
            "turn-protocol",
            "redis",
            "aws-*",
            "reqwest",
            "lambda_runtime",
        ],
    ),
    ("scribe-lambda", &["scribe-local", "scribe-web", "scribe-worker"]),
];

/// Crate, and what nothing below it may bring either.
const NEVER_BELOW: [(&str, &[&str]); 3] = [
    ("scribe-core", &["tokio", "redis", "hyper", "aws-*", "rustls"]),
    (
        "scribe-trigger",
        &["aws-sdk-s3", "reqwest", "axum", "lambda_runtime"],
    ),
    (
        "scribe-lambda",
        &[
            "axum",
            "clap",
            "s3s",
            "aws-lc-*",
            "openssl",
            "openssl-sys",
            "native-tls",
        ],
    ),
];

fn breaks(rule: &str, name: &str) -> bool {
    rule.strip_suffix('*')
        .map_or(rule == name, |prefix| name.starts_with(prefix))
}

#[test]
fn no_crate_depends_on_what_it_must_not() {
    // Only what this platform builds was fetched, and only that is looked at.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let options = ["--locked", "--offline", "--filter-platform", &platform].map(str::to_owned);
    let metadata = MetadataCommand::new().other_options(options).exec().unwrap();
    let packages = metadata.workspace_packages();
    for (name, never) in NEVER {
        let package = packages
            .iter()
            .find(|package| package.name == name)
            .unwrap_or_else(|| panic!("{name}"));
        for dependency in package
            .dependencies
            .iter()
            .filter(|found| found.kind == DependencyKind::Normal)
        {
            let broken = never.iter().find(|rule| breaks(rule, &dependency.name));
            assert!(broken.is_none(), "{name} must not use {}", dependency.name);
        }
    }

    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let names: HashMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    for (name, never) in NEVER_BELOW {
        let root = packages
            .iter()
            .find(|package| package.name == name)
            .unwrap_or_else(|| panic!("{name}"));
        let mut seen = BTreeSet::new();
        let mut open = vec![&root.id];
        while let Some(package) = open.pop() {
            if !seen.insert(package) {
                continue;
            }
            let broken = never.iter().find(|rule| breaks(rule, names[package]));
            assert!(broken.is_none(), "{name} must not bring {}", names[package]);
            let normal = nodes[package].deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            });
            open.extend(normal.map(|dep| &dep.pkg));
        }
        assert!(
            seen.len() > 5,
            "{name} has no dependencies at all: the check sees nothing"
        );
    }
}

#[test]
fn only_the_listed_entries_are_visible_at_the_top() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&metadata.workspace_root)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let visible: BTreeSet<&str> = listed
        .lines()
        .filter_map(|path| path.split('/').next())
        .filter(|entry| !entry.starts_with('.'))
        .collect();
    let allowed = BTreeSet::from([
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "crates",
        "events",
        "template.yaml",
        "tests",
    ]);
    let others: Vec<_> = visible.difference(&allowed).collect();
    assert!(others.is_empty(), "not agreed at the top level: {others:?}");
    assert!(
        visible.contains("crates"),
        "git lists nothing: the check sees nothing"
    );
}
