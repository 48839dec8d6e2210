//! QR codes as text: two modules per character, with the quiet zone that scanners need.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::io::IsTerminal as _;

/// The code as lines of half blocks; `None` if the text is too long for one.
///
/// A terminal is light on dark, so blocks are drawn for the light modules; on paper (a file, a pipe) for the dark ones.
pub fn half_blocks(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let mut image = code.render::<Dense1x2>();
    if std::io::stdout().is_terminal() {
        image
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark);
    }
    Some(image.build())
}
