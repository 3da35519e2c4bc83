//! `include/overwinter.h` is what cbindgen makes of the crate. `OVERWINTER_ACCEPT_HEADER=1` writes it anew.

use std::fs;
use std::path::Path;

#[test]
fn the_header_says_what_the_library_has() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = cbindgen::Builder::new()
        .with_src(here.join("src/lib.rs"))
        .with_config(cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap())
        .generate()
        .unwrap();
    let mut text = Vec::new();
    made.write(&mut text);
    let text = String::from_utf8(text).unwrap();
    let path = here.join("include/overwinter.h");
    if std::env::var_os("OVERWINTER_ACCEPT_HEADER").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "include/overwinter.h is not what the source says; look at the difference and accept it with OVERWINTER_ACCEPT_HEADER=1"
    );
}
