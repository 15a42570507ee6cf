//! Files that are there whole or not at all, also after `kill -9` or a power cut.

use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file beside its final name, forces it to disk and renames it into place.
///
/// A crash in between leaves a file whose name begins with a dot; [`names`] removes it.
///
/// # Errors
/// If the disk refuses.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    // The rename itself lies in the folder.
    std::fs::File::open(folder)?.sync_all()
}

/// The names of a folder's whole files, sorted. Left-overs of interrupted writes are removed, so nobody else may
/// be writing there.
///
/// # Errors
/// If the folder can't be read.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            std::fs::remove_file(entry.path())?;
        } else {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_are_removed_and_files_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json");
        std::fs::write(folder.path().join(".tmpAbc"), "half").unwrap();
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        replace(&folder.path().join("a.json"), b"").unwrap();
        assert_eq!(names(folder.path()).unwrap(), ["a.json", "b.json"]);
        assert_eq!(std::fs::read(path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
