//! Builds the page from `dashboard/` and embeds it. Where that can't be done, or was not asked for, a plain notice is
//! embedded instead, and everything but the page works.
//!
//! `WALKFORWARD_DASHBOARD=on` builds it in every profile and `off` in none; by default release builds have it, so that
//! development builds don't wait for npm.
#![expect(clippy::disallowed_methods, reason = "cargo hands a build script what it needs in the environment")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

const SWITCH: &str = "WALKFORWARD_DASHBOARD";
/// What the page is built from; anything else in the folder is for those who work on it.
const SOURCES: [&str; 7] =
    ["index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", "public", "src"];

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboard");
    println!("cargo::rerun-if-env-changed={SWITCH}");
    println!("cargo::rerun-if-changed=build.rs");
    for name in SOURCES {
        println!("cargo::rerun-if-changed={}", sources.join(name).display());
    }
    let table = match is_wanted() {
        true => build(&sources, &out.join("dashboard")).and_then(|dist| table(&dist)),
        false => Ok(String::new()),
    };
    // What the notice says is read by others than those who built: it has no path of theirs.
    let (files, why) = match table {
        Ok(files) if files.is_empty() => (files, Some("it was built without one")),
        Ok(files) => (files, None),
        Err(why) => {
            println!("cargo::warning=the page is not embedded, a notice is: {why}");
            (String::new(), Some("it could not be built, and cargo's warning said why"))
        }
    };
    let text = format!(
        "/// Path, content.\nstatic FILES: &[(&str, &[u8])] = &[{files}];\n/// Why there are none.\n\
         const WITHOUT: Option<&str> = {why:?};\n"
    );
    fs::write(out.join("dashboard_files.rs"), text)
}

fn is_wanted() -> bool {
    match env::var(SWITCH).as_deref() {
        Ok("on" | "1" | "true") => true,
        Ok("off" | "0" | "false") => false,
        _ => env::var("PROFILE").is_ok_and(|profile| profile == "release"),
    }
}

/// Builds a copy, so that nothing is ever written beside the sources, and answers where the page is.
fn build(sources: &Path, copy: &Path) -> Result<PathBuf, String> {
    let refuse = |error: io::Error| format!("the sources can't be copied: {error}");
    // What npm installed stays: with the same lock file it is what `npm ci` would install again.
    for name in SOURCES.into_iter().filter(|name| *name != "package-lock.json").chain(["dist"]) {
        remove(&copy.join(name)).map_err(refuse)?;
    }
    for name in SOURCES.into_iter().filter(|name| *name != "package-lock.json") {
        copy_all(&sources.join(name), &copy.join(name)).map_err(refuse)?;
    }
    install(&sources.join("package-lock.json"), copy)?;
    npm(copy, &["run", "build"])?;
    Ok(copy.join("dist"))
}

fn install(lock: &Path, copy: &Path) -> Result<(), String> {
    let (mine, done) = (copy.join("package-lock.json"), copy.join("installed"));
    let wanted = fs::read(lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let refuse = |error: io::Error| format!("the build folder can't be written: {error}");
    remove(&done).map_err(refuse)?;
    fs::write(mine, &wanted).map_err(refuse)?;
    // Without a network it should say so soon.
    npm(copy, &["ci", "--omit=dev", "--no-audit", "--no-fund", "--fetch-retries=1"])?;
    fs::write(done, wanted).map_err(refuse)
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let told = format!("npm {}", arguments.join(" "));
    let output = Command::new("npm").args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{told} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{told}: {}: {}", output.status, first_words(&output.stderr)))
}

/// What a failed npm says first of what went wrong; all of it would fill a screen.
fn first_words(errors: &[u8]) -> String {
    const LINES: usize = 3;
    let errors = String::from_utf8_lossy(errors);
    let lines = errors.lines().map(|line| line.trim_start_matches("npm error").trim());
    let told: Vec<&str> =
        lines.filter(|line| !line.is_empty() && !line.starts_with("npm warn")).take(LINES).collect();
    if told.is_empty() { "it said nothing".to_owned() } else { told.join("; ") }
}

/// The Rust source of a table of all files in `dist`.
fn table(dist: &Path) -> Result<String, String> {
    let mut paths = Vec::new();
    list(dist, &mut paths).map_err(|error| format!("{}: {error}", dist.display()))?;
    paths.sort();
    if !paths.iter().any(|path| path == &dist.join("index.html")) {
        return Err("the build made no index.html".to_owned());
    }
    let mut text = String::new();
    for path in paths {
        let name = path.strip_prefix(dist).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let _ = write!(text, "({name:?}, include_bytes!({path:?})),");
    }
    Ok(text)
}

fn list(folder: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => list(&path, into)?,
            false => into.push(path),
        }
    }
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        to.parent().map_or(Ok(()), fs::create_dir_all)?;
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != OsStr::new("node_modules") {
            copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
