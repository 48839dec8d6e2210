//! A short byte string without a heap.

/// Up to `N` bytes (`N` at most 255).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

impl<const N: usize> Short<N> {
    /// Nothing.
    pub const EMPTY: Self = Self {
        length: 0,
        bytes: [0; N],
    };

    /// `None` if `bytes` is longer than `N`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut short = Self::EMPTY;
        short.length = u8::try_from(bytes.len()).ok()?;
        short.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(short)
    }

    /// As much of `text` as fits, cut between characters.
    #[must_use]
    pub fn truncated(text: &str) -> Self {
        let mut end = text.len().min(N).min(255);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self::new(text.as_bytes().get(..end).unwrap_or_default()).unwrap_or(Self::EMPTY)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    /// As text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.as_bytes()).ok()
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> core::fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.as_str() {
            Some(text) => write!(f, "{text:?}"),
            None => write!(f, "{:02x?}", self.as_bytes()),
        }
    }
}
