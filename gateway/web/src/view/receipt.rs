//! A receipt as a page made for print on a roll.

use crate::paper::ReceiptPaper;
use askama::Template;

#[derive(Template)]
#[template(path = "receipt.html")]
pub(crate) struct ReceiptView {
    pub site: String,
    pub is_duplicate: bool,
    pub pairs: Vec<(String, String)>,
    pub back: String,
    /// What each form of it asks for, so that the original stays one.
    pub original: &'static str,
}

impl ReceiptView {
    pub(crate) fn new(paper: &ReceiptPaper, back: String, is_original: bool) -> Self {
        Self {
            site: paper.site.clone(),
            is_duplicate: paper.is_duplicate,
            pairs: paper.pairs(),
            back,
            original: if is_original { "&original=1" } else { "" },
        }
    }
}
