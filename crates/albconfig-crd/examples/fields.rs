//! Prints the reference page: `cargo run -p albconfig-crd --example fields > docs/albconfig.md`.

fn main() {
    print!("{}", albconfig_crd::reference());
}
