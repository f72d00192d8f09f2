//! Numbers and texts from bytes, one after the other.

/// What is wrong with a file.
pub(super) type Damage = String;

/// Where in the bytes one is.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, place: 0 }
    }

    /// Bytes read so far.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// The next bytes. Nothing is allocated for more than there are.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Damage> {
        let end = usize::try_from(count).ok().and_then(|count| self.place.checked_add(count));
        let found = end.and_then(|end| self.bytes.get(self.place..end));
        let found = found.ok_or_else(|| format!("it ends within its head, at byte {}", self.bytes.len()))?;
        self.place += found.len();
        Ok(found)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self) -> Result<String, Damage> {
        let (place, length) = (self.place, self.u64()?);
        let text = std::str::from_utf8(self.take(length)?);
        text.map(str::to_owned).map_err(|_| format!("the text at byte {place} is not UTF-8"))
    }
}
