//! Why a request had no usable answer.

/// Why a request had no usable answer. The words tell an installer where to look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// Nothing came.
    #[error("no answer: check address, baud rate, power and A/B")]
    NoReply,
    /// Bytes came, but no frame whose checksum is right.
    #[error("garbled answer (checksum): check A/B, termination, parity, and for a second master")]
    Checksum,
    /// Less came than was asked for.
    #[error("the answer broke off")]
    Short,
    /// Somebody else answered.
    #[error("an answer from another address: two meters share one, or a late answer")]
    WrongMeter,
    /// Somebody else asks on this line.
    #[error(
        "somebody else asks on this line: a bus has one master; disconnect the other or move it"
    )]
    SecondMaster,
    /// The meter refused; the code is Modbus's.
    #[error("the meter refuses: {}", exception_words(*.0))]
    Exception(u8),
    /// The port cannot be set to a speed or parity.
    #[error("the port cannot be set so: {0}")]
    Speed(String),
    /// A relay that was tried did not confirm that it is as before again.
    #[error(
        "the relay was tried and does not confirm that it is as before again ({0}): look at it now"
    )]
    LeftOpen(Box<BusError>),
    /// The port or connection is gone.
    #[error("the line is down: {0}")]
    Line(String),
}

impl BusError {
    /// Its name in metrics and JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoReply => "no-reply",
            Self::Checksum => "checksum",
            Self::Short => "short",
            Self::WrongMeter => "wrong-meter",
            Self::SecondMaster => "second-master",
            Self::Exception(_) => "exception",
            Self::Speed(_) => "speed",
            Self::LeftOpen(_) => "left-open",
            Self::Line(_) => "line",
        }
    }

    /// Whether asking again at once may help: a bit was lost, nobody is missing.
    #[must_use]
    pub fn is_noise(&self) -> bool {
        matches!(
            self,
            Self::Checksum | Self::Short | Self::SecondMaster | Self::Exception(5 | 6)
        )
    }
}

fn exception_words(code: u8) -> String {
    match code {
        1 => "it does not know the function (1)".into(),
        2 => "it has no such register (2): wrong model?".into(),
        3 => "too many registers or a bad value (3)".into(),
        4 => "it has failed (4)".into(),
        5 => "it needs longer (5)".into(),
        6 => "it is busy (6)".into(),
        10 | 11 => format!("the Modbus gateway cannot reach it ({code})"),
        _ => format!("exception {code}"),
    }
}
