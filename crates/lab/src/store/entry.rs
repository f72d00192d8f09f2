//! An entry of the store: the seconds and the outcome of one finished trial, with a checksum that knows its key.

use serde::{Serialize, de::DeserializeOwned};

use super::{Key, Stored};
use crate::LabError;

pub(super) const MAGIC: &[u8; 8] = b"LABTRIAL";
const HEADER: usize = MAGIC.len() + blake3::OUT_LEN;

/// The bytes of an entry.
pub(super) fn encode<O: Serialize>(key: Key, seconds: f64, outcome: &O) -> Result<Vec<u8>, LabError> {
    let payload = postcard::to_stdvec(&(seconds, outcome)).map_err(anyhow::Error::from)?;
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(checksum(key, &payload).as_bytes());
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

/// The payload of the entry of `key`, or what is wrong with its bytes.
pub(super) fn check(key: Key, bytes: &[u8]) -> Result<&[u8], &'static str> {
    if bytes.len() < HEADER {
        return Err("it is cut short");
    }
    let (header, payload) = bytes.split_at(HEADER);
    let (magic, sum) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err("it is not a stored trial");
    }
    if sum != checksum(key, payload).as_bytes() {
        return Err("its checksum does not match");
    }
    Ok(payload)
}

/// What the entry of `key` holds, or what is wrong with its bytes.
pub(super) fn decode<O: DeserializeOwned>(key: Key, bytes: &[u8]) -> Result<Stored<O>, &'static str> {
    let payload = check(key, bytes)?;
    let (seconds, outcome) = postcard::from_bytes(payload).map_err(|_| "another version of the program wrote it")?;
    Ok(Stored { seconds, outcome })
}

fn checksum(key: Key, payload: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(key.0.as_bytes()).update(payload).finalize()
}
