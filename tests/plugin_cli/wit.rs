//! `midge plugin wit`.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{plugin, text, well};

#[test]
fn the_contract_comes_out_as_it_lies_in_the_repository() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("deps/midge-plugin");
    well(&["wit", "--out", text(&out)]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let mut files = 0;
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "wit") {
            let name = path.file_name().unwrap();
            assert_eq!(fs::read(out.join(name)).unwrap(), fs::read(&path).unwrap(), "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 5, "{files}");
    assert_eq!(fs::read(out.join("README.md")).unwrap(), fs::read(source.join("README.md")).unwrap());
}

#[test]
fn printed_it_is_one_package_that_begins_with_its_name() {
    let text = well(&["wit"]);
    let code = text.lines().find(|line| !line.starts_with("//")).unwrap();
    assert_eq!(code, "package midge:plugin@0.1.0;");
    for part in ["interface types {", "interface authn {", "world everything {"] {
        assert_eq!(text.matches(part).count(), 1, "{part}");
    }
}

#[test]
fn where_nothing_can_be_written_the_place_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let said = plugin(&["wit", "--out", text(&file)]).ill();
    assert!(said.contains(text(&file)), "{said}");
}
