//! A paper as PDF: A4, the reader's own Helvetica, nothing embedded.
//!
//! Decided here: where everything stands, and what becomes of letters that those fonts lack (beyond Latin-1): a text with
//! one of them is replaced by words that say where it is shown. Not decided here: what stands on the paper ([`super::sheet`]).

use super::sheet::{Align, Row, Sheet, Table, Weight};
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

/// A4 in points, and the margin on all sides (15 mm).
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 42.0;
const PLAIN: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");
/// Between columns.
const GAP: f32 = 8.0;
/// What stands for a text the fonts cannot draw.
const NOT_DRAWN: &str = "(shown in the HTML only)";

/// Widths of the letters from space to tilde in Helvetica, in thousandths of the size (Adobe's metrics of the standard fonts).
const ADVANCES: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Its letters in the fonts' encoding; the words for what they lack if it has others.
pub(super) fn drawn(text: &str) -> Vec<u8> {
    let letter = |c: char| match c {
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(c)).ok(),
        '\u{2013}' => Some(0x96),
        '\u{2212}' => Some(b'-'),
        _ => None,
    };
    let letters: Option<Vec<u8>> = text.chars().map(letter).collect();
    letters.unwrap_or_else(|| NOT_DRAWN.as_bytes().to_vec())
}

/// The digits of both fonts are equally wide; bold words are a tenth wider at most.
fn width(letters: &[u8], size: f32) -> f32 {
    let advance = |letter: &u8| {
        let place = usize::from(letter.saturating_sub(b' '));
        f32::from(ADVANCES.get(place).copied().unwrap_or(600))
    };
    letters.iter().map(advance).sum::<f32>() * size / 1_000.0
}

/// Lines no wider than the column; a word that is wider is broken.
fn wrapped(letters: &[u8], size: f32, column: f32) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    for word in letters.split(|letter| *letter == b' ') {
        let line = lines.last().map_or(0.0, |line| width(line, size));
        if line > 0.0 && line + width(b" ", size) + width(word, size) > column {
            lines.push(Vec::new());
        }
        for (i, letter) in word.iter().enumerate() {
            let last = lines.last().map_or(&[][..], Vec::as_slice);
            let full = width(last, size) + width(&[*letter], size) > column;
            let starts = last.is_empty();
            if full && !starts {
                lines.push(Vec::new());
            }
            if let Some(line) = lines.last_mut() {
                if i == 0 && !line.is_empty() {
                    line.push(b' ');
                }
                line.push(*letter);
            }
        }
    }
    lines
}

/// Pages being filled from the top.
struct Pages {
    done: Vec<Content>,
    page: Content,
    y: f32,
}

impl Pages {
    fn room(&mut self, height: f32) -> bool {
        if self.y - height >= MARGIN + 14.0 {
            return false;
        }
        let full = std::mem::replace(&mut self.page, Content::new());
        self.done.push(full);
        self.y = HEIGHT - MARGIN;
        true
    }

    fn text(&mut self, letters: &[u8], (x, font, size): (f32, Name<'_>, f32)) {
        let page = &mut self.page;
        page.begin_text().set_font(font, size);
        page.set_text_matrix([1.0, 0.0, 0.0, 1.0, x, self.y]);
        page.show(Str(letters)).end_text();
    }

    fn line(&mut self, text: &str, font: Name<'_>, size: f32) {
        for line in wrapped(&drawn(text), size, (WIDTH - 2.0 * MARGIN) * 0.93) {
            self.room(size * 1.4);
            self.y -= size * 1.4;
            self.text(&line, (MARGIN, font, size));
        }
    }

    fn rule(&mut self) {
        let y = self.y - 3.0;
        let page = &mut self.page;
        page.set_line_width(0.5).move_to(MARGIN, y);
        page.line_to(WIDTH - MARGIN, y).stroke();
    }

    fn row(&mut self, row: &Row, table: &Table, columns: &[(f32, f32)]) {
        let (font, size) = match row.weight {
            Weight::Strong => (BOLD, 9.0),
            Weight::Plain => (PLAIN, 9.0),
            Weight::Part => (PLAIN, 8.0),
        };
        let indent = if row.weight == Weight::Part {
            10.0
        } else {
            0.0
        };
        let cells: Vec<Vec<Vec<u8>>> = row
            .cells
            .iter()
            .zip(columns)
            .map(|(cell, (_, room))| wrapped(&drawn(cell), size, (room - indent).max(20.0)))
            .collect();
        let tall = cells.iter().map(Vec::len).max().unwrap_or(1);
        for i in 0..tall {
            if self.room(12.0) {
                self.head(table, columns);
            }
            self.y -= 12.0;
            for (place, (cell, (x, room))) in cells.iter().zip(columns).enumerate() {
                let Some(line) = cell.get(i) else { continue };
                let is_right = matches!(table.columns.get(place), Some((_, Align::Right)));
                let shift = match (is_right, place) {
                    (true, _) => room - width(line, size),
                    (false, 0) => indent,
                    (false, _) => 0.0,
                };
                self.text(line, (x + shift, font, size));
            }
        }
    }

    fn head(&mut self, table: &Table, columns: &[(f32, f32)]) {
        if table.columns.iter().all(|(name, _)| name.is_empty()) {
            return;
        }
        self.y -= 12.0;
        for ((name, align), (x, room)) in table.columns.iter().zip(columns) {
            let name = drawn(name);
            let shift = match align {
                Align::Left => 0.0,
                Align::Right => room - width(&name, 8.0) * 1.05,
            };
            self.text(&name, (x + shift, BOLD, 8.0));
        }
        self.rule();
        self.y -= 3.0;
    }
}

/// Beginning and width of each column: numbers get what they need, words share the rest.
fn columns(table: &Table) -> Vec<(f32, f32)> {
    let natural = |place: usize| {
        let cells = table.rows.iter().filter_map(|row| row.cells.get(place));
        let widest = cells
            .map(|cell| width(&drawn(cell), 9.0) * 1.1)
            .fold(0.0, f32::max);
        let name = table.columns.get(place).map_or("", |(name, _)| name);
        widest.max(width(&drawn(name), 8.0) * 1.1) + 12.0
    };
    let mut widths: Vec<f32> = (0..table.columns.len()).map(natural).collect();
    #[expect(clippy::cast_precision_loss, reason = "a handful of columns")]
    let gaps = GAP * widths.len().saturating_sub(1) as f32;
    let room = WIDTH - 2.0 * MARGIN - gaps;
    let over = widths.iter().sum::<f32>() - room;
    let lefts = table.columns.iter().enumerate();
    let lefts = lefts.filter(|(_, (_, align))| *align == Align::Left);
    let widest = lefts.max_by(|a, b| widths[a.0].total_cmp(&widths[b.0]));
    if let Some((place, _)) = widest {
        // Grown too, so that numbers stand at the right edge of every table.
        widths[place] = (widths[place] - over).max(60.0);
    }
    let mut x = MARGIN;
    let place = |width: f32| {
        let column = (x, width);
        x += width + GAP;
        column
    };
    widths.into_iter().map(place).collect()
}

impl Sheet {
    /// As PDF.
    #[must_use]
    pub fn pdf(&self) -> Vec<u8> {
        let mut pages = Pages {
            done: Vec::new(),
            page: Content::new(),
            y: HEIGHT - MARGIN,
        };
        pages.line(&self.site, PLAIN, 10.0);
        pages.line(&self.title, BOLD, 16.0);
        pages.rule();
        pages.y -= 6.0;
        for (name, value) in &self.facts {
            pages.room(13.0);
            pages.y -= 13.0;
            pages.text(&drawn(name), (MARGIN, PLAIN, 9.0));
            let value = drawn(value);
            let room = WIDTH - 2.0 * MARGIN - 90.0;
            let lines = wrapped(&value, 9.0, room * 0.9);
            for (i, line) in lines.iter().enumerate() {
                if i > 0 {
                    pages.room(12.0);
                    pages.y -= 12.0;
                }
                pages.text(line, (MARGIN + 90.0, BOLD, 9.0));
            }
        }
        for table in &self.tables {
            pages.room(60.0);
            pages.y -= 10.0;
            if !table.heading.is_empty() {
                pages.line(&table.heading, BOLD, 11.0);
            }
            if table.rows.is_empty() {
                pages.line(table.empty, PLAIN, 9.0);
                continue;
            }
            let columns = columns(table);
            pages.head(table, &columns);
            for row in &table.rows {
                pages.row(row, table, &columns);
            }
        }
        pages.y -= 12.0;
        let font = if self.is_good { PLAIN } else { BOLD };
        for check in &self.checks {
            pages.line(check, font, 9.0);
        }
        pages.line(&self.made, PLAIN, 8.0);
        pages.done.push(pages.page);
        file(&self.title, pages.done)
    }
}

/// Numbers the pages and puts the file together.
fn file(title: &str, pages: Vec<Content>) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let mut last = 5;
    let mut next = || {
        last += 1;
        Ref::new(last)
    };
    let (catalog, tree, info) = (Ref::new(1), Ref::new(2), Ref::new(3));
    let fonts = [
        (PLAIN, Ref::new(4), "Helvetica"),
        (BOLD, Ref::new(5), "Helvetica-Bold"),
    ];
    pdf.catalog(catalog).pages(tree);
    pdf.document_info(info).title(TextStr(title));
    for (_, id, base) in fonts {
        let mut font = pdf.type1_font(id);
        font.base_font(Name(base.as_bytes()));
        font.encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let count = pages.len();
    let mut kids = Vec::new();
    for (number, mut content) in (1..).zip(pages) {
        let words = format!("{number} / {count}");
        content.begin_text().set_font(PLAIN, 8.0);
        content.set_text_matrix([1.0, 0.0, 0.0, 1.0, WIDTH - MARGIN - 30.0, MARGIN - 14.0]);
        content.show(Str(words.as_bytes())).end_text();
        let (page_id, content_id) = (next(), next());
        kids.push(page_id);
        let mut page = pdf.page(page_id);
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT))
            .parent(tree);
        page.contents(content_id);
        let mut resources = page.resources();
        let mut named = resources.fonts();
        for (name, id, _) in fonts {
            named.pair(name, id);
        }
        named.finish();
        resources.finish();
        page.finish();
        pdf.stream(content_id, &content.finish());
    }
    let number = i32::try_from(kids.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(kids).count(number);
    pdf.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The letters that begin at an offset of the file.
    fn at(file: &[u8], offset: usize, letters: &str) -> bool {
        file[offset..].starts_with(letters.as_bytes())
    }

    #[test]
    fn the_file_is_whole_and_every_object_is_where_the_table_says() {
        let row = |i: usize| Row {
            weight: Weight::Plain,
            cells: vec![format!("line {i}"), format!("{i}.50")],
        };
        let sheet = Sheet {
            site: "Ward (4)".into(),
            title: "Statement".into(),
            facts: vec![
                ("Name", "गली नंबर 4".into()),
                ("Usage point", "UP-0001".into()),
            ],
            tables: vec![Table {
                heading: "Every movement".into(),
                columns: vec![("".into(), Align::Left), ("Rs".into(), Align::Right)],
                rows: (0..100).map(row).collect(),
                empty: "",
            }],
            checks: vec!["re-adds to the micro-unit".into()],
            is_good: true,
            made: "Made".into(),
        };
        let file = sheet.pdf();
        let text = String::from_utf8_lossy(&file);
        assert!(at(&file, 0, "%PDF-1.") && text.trim_end().ends_with("%%EOF"));
        let words = [
            "(Ward (4))",
            "(UP-0001)",
            "(line 99)",
            "(99.50)",
            "micro-unit",
        ];
        for words in words.into_iter().chain(["/Count 2", "(2 / 2)"]) {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.contains(NOT_DRAWN), "{text}");
        let bytes = |needle: &[u8]| file.windows(needle.len()).rposition(|w| w == needle);
        let start = bytes(b"startxref").unwrap();
        let number = String::from_utf8_lossy(&file[start..]);
        let table: usize = number.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(at(&file, table, "xref\n"));
        let entries = String::from_utf8_lossy(&file[table..start]).into_owned();
        let in_use = entries
            .lines()
            .skip(2)
            .zip(0..)
            .filter(|(line, _)| line.contains(" n"));
        let mut seen = 0;
        for (line, number) in in_use {
            let offset: usize = line[..10].parse().unwrap();
            assert!(at(&file, offset, &format!("{number} 0 obj")), "{line}");
            seen += 1;
        }
        assert_eq!(
            seen, 9,
            "catalog, tree, info, two fonts, two pages with content"
        );
    }
}
