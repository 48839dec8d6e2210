//! What any paper is made of: a title, facts, tables, closing words. One model, so that HTML and PDF say the same.

use askama::Template;

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// How a row stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A total.
    Strong,
    /// A line.
    Plain,
    /// What the line before is made of.
    Part,
}

/// A row of a table; as many cells as the table has columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How it stands out.
    pub weight: Weight,
    /// Its cells.
    pub cells: Vec<String>,
}

/// A table with a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its heading.
    pub heading: String,
    /// Its columns.
    pub columns: Vec<(String, Align)>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What is said when there are none.
    pub empty: &'static str,
}

/// A paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The site's name.
    pub site: String,
    /// What it is.
    pub title: String,
    /// Whom and what it is about, in pairs.
    pub facts: Vec<(&'static str, String)>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Whether it adds up, in words.
    pub checks: Vec<String>,
    /// Whether it does.
    pub is_good: bool,
    /// When it was made.
    pub made: String,
}

impl Table {
    fn class(&self, column: &usize) -> &'static str {
        match self.columns.get(*column) {
            Some((_, Align::Right)) => "n",
            _ => "w",
        }
    }
}

impl Row {
    fn class(&self) -> &'static str {
        match self.weight {
            Weight::Strong => "strong",
            Weight::Plain => "plain",
            Weight::Part => "part",
        }
    }
}

/// A link to another form of the same paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub words: &'static str,
    pub href: String,
}

#[derive(Template)]
#[template(path = "sheet.html")]
struct Html<'a> {
    sheet: &'a Sheet,
    /// The style itself; nothing on the page, which serves it beside.
    style: Option<&'static str>,
    links: &'a [Link],
}

impl Sheet {
    /// As a file of its own that needs nothing from elsewhere.
    #[must_use]
    pub fn html(&self) -> String {
        let style = Some(include_str!("../../static/paper.css"));
        self.rendered(style, &[])
    }

    /// As a page of the gateway, with a button to print and links to its other forms.
    pub(crate) fn page(&self, links: &[Link]) -> String {
        self.rendered(None, links)
    }

    fn rendered(&self, style: Option<&'static str>, links: &[Link]) -> String {
        let html = Html {
            sheet: self,
            style,
            links,
        };
        // Writing into a string does not fail.
        html.render().unwrap_or_default()
    }
}
