//! The packed form of a store: entries of finished trials in one file that can be committed.
//!
//! `results/PROFILE/NAME.trials` begins with
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `LABPACK\0` |
//! | 4 | format of the keys, little endian |
//! | 4 | number of entries |
//! | 16 | first half of the BLAKE3 of these 16 bytes |
//!
//! and goes on with the entries, sorted by key: the key (32 bytes), the number of bytes of the entry (4), the entry as it
//! would be in a file of its own. An entry is found again behind a damaged one by its first bytes, `LABTRIAL`, and is
//! believed if its checksum matches. Nothing is compressed: most of an entry are digits of measured numbers, which do not
//! become smaller.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{FORMAT, Key, entry};
use crate::files;

const MAGIC: &[u8; 8] = b"LABPACK\0";
const HEADER: usize = 32;
/// Key and length.
const BEFORE_ENTRY: usize = blake3::OUT_LEN + 4;

/// Whole entries by the bytes of their keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pack {
    entries: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Pack {
    /// The whole entries of a file, and what there is to complain of, if anything. Without a file there are none.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<(Self, Option<String>)> {
        match files::read(path) {
            Ok(bytes) => {
                let (pack, complaint) = Self::parse(&bytes);
                Ok((pack, complaint.map(|complaint| format!("{} {complaint}", path.display()))))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok((Self::default(), None)),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> (Self, Option<String>) {
        let header = header(bytes);
        if let Some((format, _)) = header
            && format != FORMAT
        {
            let text = format!("has trials of format {format}, this program's are of format {FORMAT}; it is ignored");
            return (Self::default(), Some(text));
        }
        let pack = Self { entries: entries(bytes) };
        let whole = pack.entries.len();
        let complaint = match header {
            Some((_, count)) if count == whole => None,
            Some((_, count)) => {
                Some(format!("is damaged: {whole} of its {count} trials are whole, the others are lost"))
            }
            None if whole > 0 => Some(format!("is damaged at its beginning: {whole} of its trials are whole")),
            None => Some("is no file of packed trials; it is ignored".to_owned()),
        };
        (pack, complaint)
    }

    /// The entry of `key`, as bytes.
    pub(super) fn get(&self, key: Key) -> Option<&[u8]> {
        self.entries.get(key.0.as_bytes()).map(Vec::as_slice)
    }

    /// Adds an entry that is known to be whole, instead of another of the same key.
    pub(super) fn insert(&mut self, key: Key, entry: Vec<u8>) {
        self.entries.insert(*key.0.as_bytes(), entry);
    }

    /// The keys of all entries.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.entries.keys().map(|key| Key(blake3::Hash::from_bytes(*key)))
    }

    /// Keeps the entries whose key is wanted.
    pub(super) fn retain(&mut self, wanted: impl Fn(Key) -> bool) {
        self.entries.retain(|key, _| wanted(Key(blake3::Hash::from_bytes(*key))));
    }

    /// Drops the entries of more bytes.
    pub(super) fn drop_larger_than(&mut self, bytes: usize) {
        self.entries.retain(|_, entry| entry.len() <= bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The bytes of the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        let sum = blake3::hash(&bytes);
        bytes.extend_from_slice(&sum.as_bytes()[..16]);
        for (key, entry) in &self.entries {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&(entry.len() as u32).to_le_bytes());
            bytes.extend_from_slice(entry);
        }
        bytes
    }
}

/// Format and number of entries, if the header is whole.
fn header(bytes: &[u8]) -> Option<(u32, usize)> {
    let (said, sum) = bytes.get(..HEADER)?.split_at(16);
    let whole = said.starts_with(MAGIC) && blake3::hash(said).as_bytes()[..16] == *sum;
    let number = |at: usize| said[at..at + 4].try_into().map(u32::from_le_bytes).ok();
    whole.then_some((number(8)?, number(12)? as usize))
}

/// All whole entries, wherever they are.
fn entries(bytes: &[u8]) -> BTreeMap<[u8; 32], Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut place = 0;
    while let Some(distance) = next(&bytes[place..]) {
        let start = place + distance;
        match entry_at(bytes, start) {
            Some((key, entry)) => {
                found.insert(*key.0.as_bytes(), entry.to_vec());
                place = start + entry.len();
            }
            None => place = start + 1,
        }
    }
    found
}

/// Where the next entry may begin.
fn next(bytes: &[u8]) -> Option<usize> {
    bytes.windows(entry::MAGIC.len()).position(|window| window == entry::MAGIC)
}

/// The whole entry that begins at `start`, with its key.
fn entry_at(bytes: &[u8], start: usize) -> Option<(Key, &[u8])> {
    let (key, length) = bytes.get(start.checked_sub(BEFORE_ENTRY)?..start)?.split_at(blake3::OUT_LEN);
    let key = Key(blake3::Hash::from_slice(key).ok()?);
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let entry = bytes.get(start..start.checked_add(length)?)?;
    entry::check(key, entry).is_ok().then_some((key, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(number: u32) -> Key {
        Key(blake3::hash(&number.to_le_bytes()))
    }

    /// A pack of three entries, one of which has the mark of an entry in its outcome.
    fn packed() -> Pack {
        let mut pack = Pack::default();
        for (number, outcome) in [(3, "three"), (1, "LABTRIAL, LABTRIAL"), (2, "")] {
            pack.insert(key_of(number), entry::encode(key_of(number), 0.5, &outcome).unwrap());
        }
        pack
    }

    #[test]
    fn what_is_packed_is_found_and_the_order_of_packing_leaves_no_trace() {
        let pack = packed();
        assert_eq!(Pack::parse(&pack.bytes()), (packed(), None));
        let mut other = Pack::default();
        for number in [2, 3, 1] {
            other.insert(key_of(number), pack.get(key_of(number)).unwrap().to_vec());
        }
        assert_eq!(other.bytes(), pack.bytes());
        let outcome = entry::decode::<String>(key_of(1), pack.get(key_of(1)).unwrap()).unwrap().outcome;
        assert_eq!((outcome.as_str(), pack.get(key_of(4))), ("LABTRIAL, LABTRIAL", None));
    }

    #[test]
    fn a_flipped_byte_costs_one_entry_at_most_and_is_noticed() {
        let (pack, good) = (packed(), packed().bytes());
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            let (left, complaint) = Pack::parse(&bad);
            assert!(complaint.is_some(), "byte {position}");
            assert!(left.len() >= 2, "byte {position} costs {} entries", 3 - left.len());
            assert!(left.entries.iter().all(|(key, entry)| pack.entries.get(key) == Some(entry)), "byte {position}");
            let header = position < HEADER;
            assert_eq!(left.len() == 3, header, "byte {position}");
        }
    }

    #[test]
    fn a_cut_costs_what_is_behind_it() {
        let good = packed().bytes();
        for length in 0..good.len() {
            let (left, complaint) = Pack::parse(&good[..length]);
            assert!(complaint.is_some() && left.len() < 3, "cut at {length}");
        }
        let (left, complaint) = Pack::parse(&good[..good.len() - 1]);
        assert_eq!(left.len(), 2);
        assert_eq!(complaint.unwrap(), "is damaged: 2 of its 3 trials are whole, the others are lost");
    }

    #[test]
    fn a_pack_of_another_format_and_what_is_no_pack_are_ignored() {
        let mut old = packed().bytes();
        old[8] = 0;
        let sum = blake3::hash(&old[..16]);
        old[16..32].copy_from_slice(&sum.as_bytes()[..16]);
        let (left, complaint) = Pack::parse(&old);
        assert_eq!(left, Pack::default());
        assert_eq!(complaint.unwrap(), "has trials of format 0, this program's are of format 1; it is ignored");
        let (left, complaint) = Pack::parse(b"<<<<<<< HEAD\n");
        assert_eq!(left, Pack::default());
        assert_eq!(complaint.unwrap(), "is no file of packed trials; it is ignored");
    }
}
