//! The winners of a coupon: every ticket with its status, in the order of the serials, page by
//! page, so that a million of them need no more memory than a thousand.
//!
//! One reader of pages and several writers: two for programs, with exact values, and two for
//! spreadsheets.

mod cell;
mod columns;
mod csv;
mod workbook;

use std::io;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Settler;
use super::error::Error;
use crate::domain::coupon::Coupon;
use crate::domain::issued_ticket::IssuedTicket;
use crate::domain::limits::{PAGE_MAX_ROWS, WORKBOOKS_MAX};
use crate::domain::ticket::Serial;
use workbook::{Finished, Workbook};

/// The formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For programs: a header, then one line per ticket, every value exact.
    Csv,
    /// For programs: one JSON object per line, every value exact.
    Ndjson,
    /// For spreadsheets, which leave text cells as they are.
    Xlsx,
    /// For spreadsheets that cannot read XLSX: values that they would change get an apostrophe.
    CsvExcel,
}

impl Format {
    const ALL: [Self; 4] = [Self::Csv, Self::Ndjson, Self::Xlsx, Self::CsvExcel];

    /// The format with this word, one of [`FORMATS`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Xlsx => "xlsx",
            Self::CsvExcel => "csv-excel",
        }
    }
}

/// The words of all formats, for a sentence.
pub const FORMATS: &str = "csv, ndjson, xlsx or csv-excel";

/// A permit to write one workbook to disk.
type Room = SemaphorePermit<'static>;
static WORKBOOKS: Semaphore = Semaphore::const_new(WORKBOOKS_MAX);

/// An export in progress.
pub struct Export {
    pages: Pages,
    format: Format,
    /// The whole file, once it is written; only a workbook has one.
    finished: Option<(Finished, Room)>,
}

impl Export {
    /// A new export of this coupon's winners.
    pub fn of(settler: Settler, coupon: Coupon, format: Format) -> Self {
        let pages = Pages { settler, coupon, after: Some(Serial(0)) };
        Self { pages, format, finished: None }
    }

    /// The next bytes, of at most 1,000 winners; `None` after the last one. A workbook is written
    /// to an unnamed file first, because its index is at its end: its first bytes come late.
    ///
    /// # Errors
    /// Those of the database, and of the temporary file. After a failure in the middle the export
    /// must not look complete.
    pub async fn next_page(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let write: fn(&[IssuedTicket], bool) -> std::io::Result<Vec<u8>> = match self.format {
            Format::Xlsx => return self.next_piece().await,
            Format::Csv => csv::exact,
            Format::CsvExcel => csv::for_spreadsheets,
            Format::Ndjson => |page, _| ndjson(page),
        };
        let is_first = self.pages.is_first();
        let Some(page) = self.pages.next().await? else { return Ok(None) };
        write(&page, is_first).map(Some).map_err(Error::Export)
    }

    async fn next_piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let (file, room) = match self.finished.take() {
            Some(finished) => finished,
            None => self.workbook().await?,
        };
        let (file, piece) = blocking(move || file.next_piece()).await?;
        self.finished = Some((file, room));
        Ok(piece)
    }

    async fn workbook(&mut self) -> Result<(Finished, Room), Error> {
        let room = WORKBOOKS.try_acquire().map_err(|_| Error::Busy)?;
        let mut workbook = blocking(Workbook::begin).await?;
        while let Some(page) = self.pages.next().await? {
            workbook = blocking(move || workbook.with(&page)).await?;
        }
        let finished = blocking(move || workbook.finish()).await?;
        Ok((finished, room))
    }
}

struct Pages {
    settler: Settler,
    coupon: Coupon,
    after: Option<Serial>,
}

impl Pages {
    fn is_first(&self) -> bool {
        self.after == Some(Serial(0))
    }

    /// The next page of at most 1,000 winners; the first page exists even when there are none.
    async fn next(&mut self) -> Result<Option<Vec<IssuedTicket>>, Error> {
        let Some(after) = self.after else { return Ok(None) };
        let page = self.settler.of_coupon(&self.coupon, after, PAGE_MAX_ROWS).await?;
        let is_full = page.len() == PAGE_MAX_ROWS as usize;
        self.after = page.last().filter(|_| is_full).map(|last| last.ticket.serial);
        Ok(Some(page))
    }
}

/// Runs work with files outside the threads that serve users.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).flatten().map_err(Error::Export)
}

fn ndjson(page: &[IssuedTicket]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for ticket in page {
        serde_json::to_writer(&mut bytes, &ticket.body())?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}
