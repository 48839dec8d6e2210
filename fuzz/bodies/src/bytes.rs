//! Numbers and choices out of bytes. Bytes that are used up read as zero, so every input is a script.

/// What is left of an input.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.slice(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    pub(crate) fn slice(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Takes a byte if it is the next one.
    pub(crate) fn starts_with(&mut self, byte: u8) -> bool {
        let starts = self.0.first() == Some(&byte);
        if starts {
            self.0 = &self.0[1..];
        }
        starts
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.array())
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// Small numbers mostly, large ones too: how many bytes it has comes first.
    pub(crate) fn varied(&mut self) -> u64 {
        match self.u8() % 5 {
            0 => u64::from(self.u8()),
            1 => u64::from(self.u16()),
            2 => u64::from(self.u32()),
            3 => self.u64(),
            _ => u64::MAX - u64::from(self.u16()),
        }
    }

    /// At most `limit`.
    pub(crate) fn up_to(&mut self, limit: u64) -> u64 {
        self.varied().min(limit)
    }

    pub(crate) fn pick<'b, T>(&mut self, choices: &'b [T]) -> Option<&'b T> {
        let choice = usize::from(self.u8());
        choices.get(choice % choices.len().max(1))
    }
}
