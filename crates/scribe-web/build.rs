//! Lays out in `OUT_DIR/page` what is embedded: the built page, and beside each larger text what gzip makes of it.
//! Without a built page it is a placeholder.

use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>Background Scribe</title>
<p>This page was not built when this program was. Stop it and start it again with <code>make run</code>, which builds both.</p>
</html>
";

/// What is shorter gains nothing: it fits into one packet as it is.
const WORTH_PACKING: usize = 1024;

fn main() -> io::Result<()> {
    let built = Path::new("ui/dist");
    // A folder that is not there counts as changed in every build. That it can't be made is no harm.
    let _ = fs::create_dir_all(built);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=ui/dist");

    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let page = Path::new(&out).join("page");
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    fs::create_dir_all(&page)?;
    let is_built = built.join("index.html").is_file();
    if is_built {
        copy(built, &page)?;
    } else {
        fs::write(page.join("index.html"), PLACEHOLDER)?;
    }
    fs::write(Path::new(&out).join("is_placeholder"), (!is_built).to_string())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy(&source, &target)?;
            continue;
        }
        let content = fs::read(&source)?;
        fs::write(&target, &content)?;
        let is_text = source.extension().is_some_and(|extension| {
            ["html", "js", "css", "svg", "json"]
                .iter()
                .any(|text| extension == *text)
        });
        if is_text && content.len() > WORTH_PACKING {
            let mut packed = GzEncoder::new(Vec::new(), Compression::best());
            packed.write_all(&content)?;
            let mut name = target.into_os_string();
            name.push(".gz");
            fs::write(name, packed.finish()?)?;
        }
    }
    Ok(())
}
