//! The same program as a plugin: `kubectl alb`.

use std::process::ExitCode;

fn main() -> ExitCode {
    albctl::run()
}
