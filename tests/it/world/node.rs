//! Scripts that Node runs, with the packages of `.ci/npm/package.json`.

use std::path::Path;

use tempfile::TempDir;

/// A folder with the scripts of `tests/{scripts}` in it, where Node finds the packages.
pub(crate) fn node_folder(scripts: &str) -> TempDir {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = tests.join("../.tools/npm/node_modules");
    assert!(
        packages.is_dir(),
        "{} is missing; `make test` installs it",
        packages.display()
    );
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(
        packages.canonicalize().unwrap(),
        folder.path().join("node_modules"),
    )
    .unwrap();
    for script in std::fs::read_dir(tests.join(scripts)).unwrap() {
        let script = script.unwrap();
        std::fs::copy(script.path(), folder.path().join(script.file_name())).unwrap();
    }
    folder
}
