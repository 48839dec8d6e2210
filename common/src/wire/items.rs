//! Writing and reading the fields of a body.

use super::{BufferTooSmall, Counter, FrameRejection};

/// Appends fields; the first that does not fit makes `finish` fail.
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
    full: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            full: false,
        }
    }

    pub(super) fn put(&mut self, field: &[u8]) {
        let end = self.at + field.len();
        match self.bytes.get_mut(self.at..end) {
            Some(room) => {
                room.copy_from_slice(field);
                self.at = end;
            }
            None => self.full = true,
        }
    }

    /// Starts an item of `length` bytes; `length` below 256 is the caller's to know.
    pub(super) fn item(&mut self, kind: u8, length: usize) {
        match u8::try_from(length) {
            Ok(length) => self.put(&[kind, length]),
            Err(_) => self.full = true,
        }
    }

    pub(super) fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.full {
            Err(BufferTooSmall)
        } else {
            Ok(self.at)
        }
    }
}

/// Takes fields off the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `N` bytes of the fixed part.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameRejection> {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .ok_or(FrameRejection::BodyTooShort)?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn counter(&mut self) -> Result<Counter, FrameRejection> {
        self.take().map(Counter::from_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FrameRejection> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameRejection> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameRejection> {
        self.take().map(u64::from_be_bytes)
    }

    /// The next item: its type and value; `None` at the end.
    pub(super) fn item(&mut self) -> Result<Option<(u8, &'a [u8])>, FrameRejection> {
        let Some((&kind, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        let (&length, rest) = rest
            .split_first()
            .ok_or(FrameRejection::ItemRunsPastTheEnd)?;
        let (value, rest) = rest
            .split_at_checked(usize::from(length))
            .ok_or(FrameRejection::ItemRunsPastTheEnd)?;
        self.0 = rest;
        Ok(Some((kind, value)))
    }
}

/// A reader over an item's value that must be exactly `length` bytes long.
pub(super) fn exactly(value: &[u8], length: usize) -> Result<Reader<'_>, FrameRejection> {
    if value.len() == length {
        Ok(Reader(value))
    } else {
        Err(FrameRejection::ItemHasWrongLength)
    }
}

/// Stores an item's value in its place, once.
pub(super) fn once<T>(place: &mut Option<T>, value: T) -> Result<(), FrameRejection> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(FrameRejection::ItemRepeated),
    }
}
