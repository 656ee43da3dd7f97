//! The program: what it prints, and what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alb-sim"));
    command
        .env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID")
        .env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn it_prints_an_endpoint_that_answers() {
    let mut child = program()
        .args(["--access-key-id", "me", "--seed", "7"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let (_, endpoint) = first.split_once("http://").unwrap();
    let shown: Vec<String> = lines.by_ref().take(2).map(Result::unwrap).collect();
    assert!(
        shown[0].contains("me") && shown[1].contains("vsw-sim-a"),
        "{shown:?}"
    );

    let mut stream = std::net::TcpStream::connect(endpoint).unwrap();
    let request = format!("GET /sim/state HTTP/1.1\r\nhost: {endpoint}\r\nconnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"region\":\"cn-hangzhou\""),
        "{answer}"
    );
}

#[test]
fn it_refuses_to_listen_for_the_world() {
    let output = program().args(["--listen", "0.0.0.0:0"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(message.contains("--allow-non-loopback"), "{message}");
}
