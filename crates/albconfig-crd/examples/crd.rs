//! Prints the CustomResourceDefinition as YAML:
//! `cargo run -p albconfig-crd --example crd > crates/albconfig-crd/crd/albconfigs.yaml`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    print!("{}", serde_saphyr::to_string(&albconfig_crd::crd())?);
    Ok(())
}
