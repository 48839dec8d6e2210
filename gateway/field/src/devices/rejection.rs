//! Why a device's message was not used.

/// One named reason. The words are label values of the metrics and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceRejection {
    /// It came by another login than the one named with the meter.
    WrongCredential,
    /// The broker had kept it; nobody knows how old it is.
    Retained,
    /// It is not JSON where JSON is expected, not UTF-8, or too long.
    Malformed,
    /// A value is no number, or outside everything a meter can show.
    ValueUnusable,
}

impl DeviceRejection {
    /// The reason as a kebab-case word.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::WrongCredential => "device-wrong-credential",
            Self::Retained => "device-message-retained",
            Self::Malformed => "device-message-malformed",
            Self::ValueUnusable => "device-value-unusable",
        }
    }
}

impl std::fmt::Display for DeviceRejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}
