//! SeaweedFS: a real server in one program, `weed mini`, with its files in a folder of the test's own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_sdk_s3::Client;
use serde_json::json;

use super::servers::{ACCESS_KEY, Process, SECRET_KEY, client_with, wait_for_line};

/// Ports that it opens, all of them given so that two tests do not meet. Those that may be 0 stay closed.
const PORTS: [&str; 9] = [
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
];

pub(super) struct SeaweedFs {
    address: SocketAddr,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl SeaweedFs {
    pub(super) fn start() -> Self {
        let program = weed();
        assert!(
            program.exists(),
            "weed is not at {}: `make test` installs it, SCRIBE_WEED may name another",
            program.display()
        );
        // Another process may take a port between our look and its bind; then others are tried.
        (0..5)
            .find_map(|_| Self::try_start(&program))
            .expect("weed must say that it is ready")
    }

    fn try_start(program: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let identity = json!({
            "name": "test",
            "credentials": [{ "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY }],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        });
        std::fs::write(path("s3.json"), json!({ "identities": [identity] }).to_string()).unwrap();
        let mut command = Command::new(program);
        command
            .args(["mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .arg(format!("-dir={}", folder.path().display()))
            .arg(format!("-s3.config={}", path("s3.json")))
            .arg(format!("-s3.localSocket={}", path("s3.sock")))
            .arg(format!("-filer.localSocket={}", path("filer.sock")))
            .args([
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-webdav=false",
                "-admin.ui=false",
            ])
            // A bucket that is not there is an error, as at AWS.
            .arg("-s3.autoCreateBucket=false")
            // It would tell its makers.
            .arg("-master.telemetry=false")
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // All are held until all are chosen: no two are the same.
        let held = PORTS.map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = held.map(|listener| listener.local_addr().unwrap().port());
        for (name, port) in PORTS.iter().zip(ports) {
            command.arg(format!("-{name}={port}"));
        }
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let process = Process(child);
        wait_for_line(output, |line| {
            line.contains("All enabled components are running").then_some(())
        })?;
        Some(Self {
            address: (Ipv4Addr::LOCALHOST, ports[0]).into(),
            _process: process,
            _folder: folder,
        })
    }

    pub(super) fn client(&self) -> Client {
        client_with(self.address, SECRET_KEY)
    }
}

fn weed() -> PathBuf {
    match std::env::var_os("SCRIBE_WEED") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/seaweedfs/bin/weed"),
    }
}
