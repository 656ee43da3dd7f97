//! Prints a reference page made from the code's tables:
//! `cargo run -p ingress-translate --example reference -- diagnostics > docs/diagnostics.md`, and the same for `annotations`.

fn main() {
    let page = match std::env::args().nth(1).as_deref() {
        Some("diagnostics") => ingress_translate::reference::diagnostics(),
        Some("annotations") => ingress_translate::reference::annotations(),
        _ => {
            eprintln!("usage: reference diagnostics|annotations");
            std::process::exit(2);
        }
    };
    print!("{page}");
}
