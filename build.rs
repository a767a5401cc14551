//! The standard library is embedded: build anew when it changes.

fn main() {
    println!("cargo::rerun-if-changed=stdlib");
}
