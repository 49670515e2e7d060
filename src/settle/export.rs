//! The winners of a coupon: every ticket with its status, in the order of the serials, page by
//! page, so that a million of them need no more memory than a thousand.

use super::{Error, Settler, Shown};
use crate::domain::coupon::Coupon;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::ticket::Serial;

/// How an export looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For spreadsheets: a header, then a line a ticket.
    Csv,
    /// For programs: a JSON object a line, every value exact.
    Ndjson,
}

impl Format {
    /// `csv` or `ndjson`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "csv" => Some(Self::Csv),
            "ndjson" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// A spreadsheet would run a cell that begins like this.
const FORMULA_STARTS: [char; 4] = ['=', '+', '-', '@'];
const COLUMNS: [&str; 10] = [
    "id",
    "coupon_id",
    "user_id",
    "serial",
    "claim",
    "code",
    "receipt",
    "issued_at",
    "expires_at",
    "status",
];

/// An export under way.
pub struct Export {
    settler: Settler,
    coupon: Coupon,
    format: Format,
    after: Option<Serial>,
}

impl Settler {
    /// Begins an export of this coupon's winners.
    pub fn export(&self, coupon: Coupon, format: Format) -> Export {
        Export { settler: self.clone(), coupon, format, after: Some(Serial(0)) }
    }
}

impl Export {
    /// The next at most 1,000 winners as bytes; `None` after the last one.
    ///
    /// # Errors
    /// Those of the database. An export that failed in the middle must not look like a whole one.
    pub async fn next_page(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(after) = self.after else { return Ok(None) };
        let page = self.settler.of_coupon(&self.coupon, after, PAGE_MAX_ROWS).await?;
        let is_full = page.len() == PAGE_MAX_ROWS as usize;
        self.after = page.last().filter(|_| is_full).map(|shown| shown.ticket.serial);
        let written = match self.format {
            Format::Csv => csv(&page, after == Serial(0)),
            Format::Ndjson => ndjson(&page),
        };
        written.map(Some).map_err(Error::Export)
    }
}

fn ndjson(page: &[Shown]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for shown in page {
        serde_json::to_writer(&mut bytes, &shown.told())?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn csv(page: &[Shown], with_header: bool) -> std::io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if with_header {
        writer.write_record(COLUMNS)?;
    }
    for shown in page {
        let told = shown.told();
        writer.write_record([
            &told.id.to_string(),
            told.coupon_id.as_str(),
            &cell(told.user_id),
            &told.serial.to_string(),
            &told.claim.to_string(),
            told.code,
            told.receipt,
            &told.issued_at.to_string(),
            &told.expires_at.map(|at| at.to_string()).unwrap_or_default(),
            shown.status.word(),
        ])?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// A user id that a spreadsheet would take for a formula gets an apostrophe; NDJSON is exact.
fn cell(user_id: &str) -> String {
    match user_id.starts_with(FORMULA_STARTS) {
        true => format!("'{user_id}"),
        false => user_id.to_owned(),
    }
}
