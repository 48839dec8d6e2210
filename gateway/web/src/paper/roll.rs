//! A receipt as PDF: as wide as a till's paper and as long as its lines, or on A4.
//!
//! Decided here: the widths. The letters are those of [`super::pdf`]: the reader's own fonts, nothing embedded.

use super::pdf::drawn;
use super::receipt::ReceiptPaper;
use super::sheet::{Align, Row, Sheet, Table, Weight};
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use std::str::FromStr;

const FONT: Name<'static> = Name(b"F1");
/// On all sides, in points: 2.8 mm, what a till's printer leaves white.
const MARGIN: f32 = 8.0;
/// Width of every letter of Courier, as a part of its size (Adobe's metrics of the standard fonts).
const ADVANCE: f32 = 0.6;
/// From line to line, as a part of the size.
const LEADING: f32 = 1.25;

/// Paper of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptPage {
    /// A roll of 58 mm: 32 columns.
    Mm58,
    /// A roll of 80 mm: 48 columns.
    Mm80,
    /// A4.
    A4,
}

/// The text names no paper of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a paper; take 58, 80 or a4")]
pub struct NotAPage;

impl FromStr for ReceiptPage {
    type Err = NotAPage;
    fn from_str(text: &str) -> Result<Self, NotAPage> {
        match text {
            "58" => Ok(Self::Mm58),
            "80" => Ok(Self::Mm80),
            "a4" => Ok(Self::A4),
            _ => Err(NotAPage),
        }
    }
}

impl ReceiptPaper {
    /// As PDF. On a roll it is the text of the till's printer, line by line.
    #[must_use]
    pub fn pdf(&self, page: ReceiptPage) -> Vec<u8> {
        let (width, columns): (f32, u16) = match page {
            // 58 and 80 mm in points.
            ReceiptPage::Mm58 => (164.4, 32),
            ReceiptPage::Mm80 => (226.8, 48),
            ReceiptPage::A4 => return self.sheet().pdf(),
        };
        roll(&self.text(usize::from(columns)), (width, columns))
    }

    fn sheet(&self) -> Sheet {
        let title = if self.is_duplicate {
            "Receipt – duplicate"
        } else {
            "Receipt"
        };
        Sheet {
            site: self.site.clone(),
            title: title.into(),
            facts: Vec::new(),
            tables: vec![self.table()],
            checks: Vec::new(),
            is_good: true,
            made: String::new(),
        }
    }

    fn table(&self) -> Table {
        let row = |(name, value): (String, String)| Row {
            weight: Weight::Plain,
            cells: vec![name, value],
        };
        Table {
            heading: String::new(),
            columns: vec![(String::new(), Align::Left), (String::new(), Align::Right)],
            rows: self.pairs().into_iter().map(row).collect(),
            empty: "",
        }
    }
}

fn roll(text: &str, (width, columns): (f32, u16)) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = text.lines().map(drawn).collect();
    let size = (width - 2.0 * MARGIN) / (f32::from(columns) * ADVANCE);
    let step = size * LEADING;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a receipt has a few dozen lines"
    )]
    let height = 2.0 * MARGIN + step * lines.len() as f32;
    let mut content = Content::new();
    content.begin_text().set_font(FONT, size).set_leading(step);
    content.set_text_matrix([1.0, 0.0, 0.0, 1.0, MARGIN, height - MARGIN - size]);
    for line in &lines {
        content.show(Str(line)).next_line_using_leading();
    }
    content.end_text();
    let [catalog, tree, info, font, page, stream] = [1, 2, 3, 4, 5, 6].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.document_info(info).title(TextStr("Receipt"));
    pdf.pages(tree).kids([page]).count(1);
    let mut courier = pdf.type1_font(font);
    courier.base_font(Name(b"Courier"));
    courier.encoding_predefined(Name(b"WinAnsiEncoding"));
    courier.finish();
    let mut sheet = pdf.page(page);
    sheet.media_box(Rect::new(0.0, 0.0, width, height));
    sheet.parent(tree).contents(stream);
    sheet.resources().fonts().pair(FONT, font);
    sheet.finish();
    pdf.stream(stream, &content.finish());
    pdf.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_is_as_wide_as_its_paper_and_as_long_as_its_lines() {
        let short = roll("one\ntwo\n", (164.4, 32));
        let long = roll(&"line\n".repeat(40), (226.8, 48));
        for (file, size) in [(short, "[0 0 164.4 35"), (long, "[0 0 226.8 381")] {
            let text = String::from_utf8_lossy(&file);
            assert!(text.starts_with("%PDF-1.") && text.trim_end().ends_with("%%EOF"));
            assert!(text.contains(size), "{size}: {text}");
            assert!(text.contains("/Count 1"), "{text}");
        }
        assert_eq!("58".parse(), Ok(ReceiptPage::Mm58));
        assert_eq!("57".parse::<ReceiptPage>(), Err(NotAPage));
    }
}
