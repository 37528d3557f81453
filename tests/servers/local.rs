//! The disk, held to the same list as the servers.

use std::path::Path;

use crate::store::{Store, files};

pub(crate) fn start(dir: &Path) -> Store {
    let root = dir.join("local");
    std::fs::create_dir_all(&root).expect("a directory");
    let base = format!("{}/", root.display());
    Store {
        name: "file",
        base,
        public: None,
        env: Vec::new(),
        credentials: &[],
        endpoint: None,
        host: None,
        writer: files(root),
    }
}
