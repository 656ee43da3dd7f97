//! Running the program.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The folder of the workspace: paths in tests and documents start there.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_albctl"));
    command.args(args).current_dir(root());
    for name in ["NO_COLOR", "CLUSTER_ID", "VPC_ID", "REGION_ID"] {
        command.env_remove(name);
    }
    command
}

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.out, self.err))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub fn run(args: &[&str]) -> Ran {
    command(args).output().unwrap().into()
}

/// With something on standard input.
pub fn run_with(args: &[&str], input: &[u8]) -> Ran {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end without having read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let ran = child.wait_with_output().unwrap().into();
    writer.join().unwrap();
    ran
}

/// An Ingress of one host with paths.
pub fn ingress(name: &str, host: &str, paths: &[(&str, &str)]) -> String {
    let line = |(path, service): &(&str, &str)| {
        format!(
            "      - {{path: {path}, pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}"
        )
    };
    let paths = paths.iter().map(line).collect::<Vec<_>>().join("\n");
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         ingressClassName: alb\n  rules:\n  - host: {host}\n    http:\n      paths:\n{paths}\n---\n"
    )
}
