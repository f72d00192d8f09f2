//! Taking single members out of wheels (zip) and sdists (tar.gz), also out of an archive inside an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::error::io_error;
use super::{SourceError, name};

/// Separates an archive inside an archive from the member inside that one.
const INSIDE: char = '!';

/// Unpacks `members` (target name → path inside the archive) of `archive` into the directory `to`.
///
/// A path `inner.tar.gz!member` is the member of the archive `inner.tar.gz` inside the archive. Only what is listed is
/// written, under its target name; nothing in the archive decides about a path outside it. What lies inside is taken
/// out first and kept in `work`.
pub(super) fn unpack(
    archive: &Path,
    members: &BTreeMap<String, String>,
    work: &Path,
    to: &Path,
) -> Result<(), SourceError> {
    let mut inner: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for (target, member) in members {
        match member.split_once(INSIDE) {
            None => drop(wanted.insert(target.clone(), member.clone())),
            Some((outer, rest)) => drop(inner.entry(outer).or_default().insert(target.clone(), rest.to_owned())),
        }
    }
    extract(archive, &wanted, to)?;
    for (outer, members) in inner {
        let name = outer.rsplit('/').next().unwrap_or(outer);
        let inside = work.join("inside");
        extract(archive, &BTreeMap::from([(name.to_owned(), outer.to_owned())]), &inside)?;
        unpack(&inside.join(name), &members, &inside, to)?;
    }
    Ok(())
}

/// Refuses members that would lead out of the cache, or share a name, or none at all.
pub(super) fn check_members(archive: &str, members: &BTreeMap<String, String>) -> Result<(), SourceError> {
    members.keys().try_for_each(|target| name::words("members", target))?;
    let different: BTreeSet<&String> = members.values().collect();
    if different.is_empty() || different.len() < members.len() {
        let allowed = "at least one member, each under one name";
        return Err(SourceError::BadName { what: "members", name: archive.to_owned(), allowed });
    }
    Ok(())
}

/// Whether the name is one of a zip file (wheels are) rather than of a compressed tar file.
pub(super) fn is_zip(name: &str) -> bool {
    name.ends_with(".whl") || name.ends_with(".zip")
}

fn extract(archive: &Path, wanted: &BTreeMap<String, String>, to: &Path) -> Result<(), SourceError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let file = File::open(archive).map_err(io_error("read", archive))?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let found = if is_zip(&name) { from_zip(file, &name, wanted, to)? } else { from_tar(file, &name, wanted, to)? };
    match wanted.iter().find(|(target, _)| !found.contains(target)) {
        Some((_, member)) => Err(SourceError::NoMember { archive: name, member: member.clone() }),
        None => Ok(()),
    }
}

fn from_zip<'a>(
    file: File,
    name: &str,
    wanted: &'a BTreeMap<String, String>,
    to: &Path,
) -> Result<Vec<&'a String>, SourceError> {
    let bad = |error: zip::result::ZipError| SourceError::Archive { archive: name.to_owned(), source: error.into() };
    let mut zip = zip::ZipArchive::new(file).map_err(bad)?;
    let mut found = Vec::new();
    for (target, member) in wanted {
        match zip.by_name(member) {
            Ok(mut content) => write(&mut content, name, &to.join(target))?,
            Err(zip::result::ZipError::FileNotFound) => continue,
            Err(error) => return Err(bad(error)),
        }
        found.push(target);
    }
    Ok(found)
}

fn from_tar<'a>(
    file: File,
    name: &str,
    wanted: &'a BTreeMap<String, String>,
    to: &Path,
) -> Result<Vec<&'a String>, SourceError> {
    let bad = |source: io::Error| SourceError::Archive { archive: name.to_owned(), source };
    let mut tar = tar::Archive::new(GzDecoder::new(file));
    let mut found = Vec::new();
    for entry in tar.entries().map_err(bad)? {
        let mut entry = entry.map_err(bad)?;
        let path = entry.path().map_err(bad)?.to_string_lossy().into_owned();
        let Some((target, _)) = wanted.iter().find(|(_, member)| **member == path) else {
            continue;
        };
        if !entry.header().entry_type().is_file() {
            return Err(bad(io::Error::other(format!("{path} is not a regular file"))));
        }
        write(&mut entry, name, &to.join(target))?;
        found.push(target);
    }
    Ok(found)
}

/// Copies `content` to the new file `path`, telling a bad archive from a disk that does not take it.
fn write(content: &mut impl Read, archive: &str, path: &Path) -> Result<(), SourceError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    }
    let mut file = File::create(path).map_err(io_error("create", path))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let bad = |source| SourceError::Archive { archive: archive.to_owned(), source };
        let length = content.read(&mut buffer).map_err(bad)?;
        if length == 0 {
            return Ok(());
        }
        io::Write::write_all(&mut file, &buffer[..length]).map_err(io_error("write", path))?;
    }
}
