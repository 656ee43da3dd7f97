//! Prints the reference page: `cargo run -p albconfig-crd --example reference > docs/albconfig.md`.

fn main() {
    print!("{}", albconfig_crd::reference());
}
