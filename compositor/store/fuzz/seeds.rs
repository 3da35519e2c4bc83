//! Writes what the fuzzer starts from into `seeds/`.

use std::path::Path;

fn main() {
    for (target, name, bytes) in overwinter_store_fuzz::seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(target);
        std::fs::create_dir_all(&folder).expect("a folder for seeds");
        std::fs::write(folder.join(name), bytes).expect("a seed");
    }
}
