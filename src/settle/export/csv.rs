//! An export as comma-separated values: exact for programs, guarded for spreadsheets.

use std::io;

use csv::{Terminator, Writer, WriterBuilder};

use super::cell;
use super::columns::{COLUMNS, values};
use crate::domain::issued_ticket::IssuedTicket;

/// Columns that need no guard: numbers, and values in a form that no spreadsheet takes for
/// anything else. A code has letters or five groups, and an instant ends in `Z`.
const SAFE: [&str; 5] = ["serial", "claim", "code", "issued_at", "expires_at"];

/// Every value as it is: for programs; a spreadsheet must not open it.
pub(super) fn exact(page: &[IssuedTicket], with_header: bool) -> io::Result<Vec<u8>> {
    write(Writer::from_writer(Vec::new()), page, with_header, |_, value| value)
}

/// For spreadsheets: a byte order mark for UTF-8, Windows line ends, and an apostrophe in front of
/// every text that they would run or change. A reader removes one apostrophe from each text that
/// begins with one.
pub(super) fn for_spreadsheets(page: &[IssuedTicket], with_header: bool) -> io::Result<Vec<u8>> {
    let mark = if with_header { "\u{feff}" } else { "" };
    let writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(mark.into());
    write(writer, page, with_header, |column, value| match SAFE.contains(&column) {
        true => value,
        false => cell::guarded(value),
    })
}

fn write(
    mut writer: Writer<Vec<u8>>,
    page: &[IssuedTicket],
    with_header: bool,
    cell: impl Fn(&str, String) -> String,
) -> io::Result<Vec<u8>> {
    if with_header {
        writer.write_record(COLUMNS)?;
    }
    for ticket in page {
        let values = values(&ticket.body());
        let cells = COLUMNS.iter().zip(values).map(|(column, value)| cell(column, value));
        writer.write_record(cells)?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}
