//! Notes the git revision, the versions of the workspace's crates, of what they depend on and of the compiler, for
//! provenance.

#[path = "build/revision.rs"]
mod revision;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    note_revision(&root);
    let text = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let code = format!("&{:?}", direct_dependencies(&text));
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("crates.rs"), code).unwrap();

    let rustc = Command::new(env::var("RUSTC").unwrap()).arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    println!("cargo::rustc-env=LAB_RUSTC={rustc}");
    println!("cargo::rustc-env=LAB_TARGET={}", env::var("TARGET").unwrap());
}

/// `LAB_GIT_REVISION` and `LAB_GIT_DIRTY` (`true`, `false`), or `LAB_GIT_UNKNOWN`: why there are none.
fn note_revision(root: &Path) {
    let revision = revision::Revision::of(root);
    for path in &revision.watched {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    match revision.commit {
        Ok(commit) => println!("cargo::rustc-env=LAB_GIT_REVISION={commit}"),
        Err(reason) => println!("cargo::rustc-env=LAB_GIT_UNKNOWN={reason}"),
    }
    if let Some(dirty) = revision.dirty {
        println!("cargo::rustc-env=LAB_GIT_DIRTY={dirty}");
    }
}

/// Name and version of every workspace member (it has no `source`) and of everything a member names as a dependency.
fn direct_dependencies(lock: &str) -> Vec<(String, String)> {
    let lock: toml::Table = lock.parse().unwrap_or_default();
    let packages: Vec<&toml::Value> = lock.get("package").and_then(|p| p.as_array()).into_iter().flatten().collect();
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(|v| v.as_str()).unwrap_or("").to_owned();
    // "name", or "name version" where the lock file has several versions.
    let wanted: Vec<&str> = packages
        .iter()
        .filter(|package| package.get("source").is_none())
        .flat_map(|package| package.get("dependencies").and_then(|d| d.as_array()).into_iter().flatten())
        .filter_map(|dependency| dependency.as_str())
        .collect();
    let mut crates: Vec<(String, String)> = packages
        .iter()
        .map(|package| (text(package, "name"), text(package, "version"), package.get("source").is_none()))
        .filter(|(name, version, member)| {
            *member || wanted.contains(&name.as_str()) || wanted.contains(&format!("{name} {version}").as_str())
        })
        .map(|(name, version, _)| (name, version))
        .collect();
    crates.sort();
    crates
}
