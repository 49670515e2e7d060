//! An export as a workbook (XLSX): texts are text cells, which no spreadsheet runs or changes, and
//! numbers are numbers.
//!
//! Instants are texts too, RFC 3339 in UTC: they sort by time, and no time zone is guessed. The
//! files are unnamed, so that nothing is left of them whatever happens; they need space in
//! `TMPDIR`.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, Write as _};

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::columns::{COLUMNS, values};
use crate::domain::issued_ticket::IssuedTicket;
use crate::domain::limits::{EXPORT_PIECE_BYTES, SHEET_MAX_ROWS};

/// The columns that are numbers.
const NUMBERS: [&str; 2] = ["serial", "claim"];
/// Wide enough for most ids.
const WIDTH_CHARACTERS: f64 = 24.0;

/// A workbook that is being written; all of it but its last row is on disk.
pub(super) struct Workbook {
    book: rust_xlsxwriter::Workbook,
    sheets: usize,
    /// Rows of the last sheet, its header included.
    rows: u32,
}

impl Workbook {
    pub(super) fn begin() -> io::Result<Self> {
        let mut begun = Self { book: rust_xlsxwriter::Workbook::new(), sheets: 0, rows: 0 };
        begun.add_sheet().map_err(io::Error::other)?;
        Ok(begun)
    }

    /// Adds these winners. After a full sheet another one begins.
    pub(super) fn with(mut self, page: &[IssuedTicket]) -> io::Result<Self> {
        for ticket in page {
            self.add(ticket).map_err(io::Error::other)?;
        }
        Ok(self)
    }

    /// Packs the file.
    pub(super) fn finish(mut self) -> io::Result<Finished> {
        let mut packed = BufWriter::new(tempfile::tempfile()?);
        self.book.save_to_writer(&mut packed).map_err(io::Error::other)?;
        packed.flush()?;
        let mut file = packed.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Finished(file))
    }

    fn add(&mut self, ticket: &IssuedTicket) -> Result<(), XlsxError> {
        if self.rows == SHEET_MAX_ROWS {
            self.add_sheet()?;
        }
        let row = self.rows;
        self.rows += 1;
        let sheet = self.book.worksheet_from_index(self.sheets - 1)?;
        let values = values(&ticket.body());
        for (at, (column, value)) in (0..).zip(COLUMNS.iter().zip(values)) {
            match NUMBERS.contains(column) {
                true => sheet.write_number(row, at, value.parse::<f64>().unwrap_or(f64::NAN))?,
                false => sheet.write_string(row, at, value)?,
            };
        }
        Ok(())
    }

    fn add_sheet(&mut self) -> Result<(), XlsxError> {
        self.sheets += 1;
        let name = match self.sheets {
            1 => "winners".to_owned(),
            number => format!("winners {number}"),
        };
        let sheet: &mut Worksheet = self.book.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        sheet.set_freeze_panes(1, 0)?;
        for (at, column) in (0..).zip(COLUMNS) {
            sheet.set_column_width(at, WIDTH_CHARACTERS)?;
            sheet.write_string(0, at, column)?;
        }
        self.rows = 1;
        Ok(())
    }
}

/// A complete workbook.
pub(super) struct Finished(File);

impl Finished {
    /// The next bytes; none after the last ones.
    pub(super) fn next_piece(mut self) -> io::Result<(Self, Option<Vec<u8>>)> {
        let mut piece = Vec::with_capacity(EXPORT_PIECE_BYTES as usize);
        let read = (&mut self.0).take(EXPORT_PIECE_BYTES).read_to_end(&mut piece)?;
        Ok((self, (read > 0).then_some(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::code::CodeAndReceipt;
    use crate::domain::coupon::CouponId;
    use crate::domain::ticket::{Serial, Status, Ticket};
    use crate::domain::time::UnixMs;
    use crate::domain::user::{Claim, UserId};

    fn winner(serial: u64) -> IssuedTicket {
        let ticket = Ticket {
            coupon_id: CouponId::parse("summer").unwrap(),
            epoch: 1,
            serial: Serial(serial),
            user_id: UserId::parse("ada").unwrap(),
            claim: Claim::FIRST,
            issued_at: UnixMs(0),
        };
        let code_and_receipt = CodeAndReceipt { code: "7QK4".to_owned(), receipt: "00".to_owned() };
        IssuedTicket { ticket, code_and_receipt, expires_at: None, status: Some(Status::Accepted) }
    }

    /// The packed text of a sheet.
    fn sheet(archive: &mut zip::ZipArchive<&mut File>, number: usize) -> String {
        let mut text = String::new();
        let name = format!("xl/worksheets/sheet{number}.xml");
        archive.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_full_sheet_is_followed_by_another_with_a_header_and_every_winner_is_in_one_once() {
        let mut workbook = Workbook::begin().unwrap();
        workbook = workbook.with(&[winner(1)]).unwrap();
        // As after a million winners, which would take a minute.
        workbook.rows = SHEET_MAX_ROWS - 1;
        // One sheet ends within a page, and one between two pages.
        workbook = workbook.with(&[winner(2), winner(3), winner(4)]).unwrap();
        assert_eq!((workbook.sheets, workbook.rows), (2, 3));
        workbook.rows = SHEET_MAX_ROWS - 1;
        workbook = workbook.with(&[winner(5)]).unwrap();
        workbook = workbook.with(&[winner(6), winner(7)]).unwrap();
        assert_eq!((workbook.sheets, workbook.rows), (3, 3));
        let mut file = workbook.finish().unwrap().0;
        let mut archive = zip::ZipArchive::new(&mut file).unwrap();
        let all = [&[1, 2][..], &[3, 4, 5], &[6, 7]];
        for (number, serials) in (1..).zip(all) {
            let text = sheet(&mut archive, number);
            assert_eq!(text.matches("user_id").count(), 1, "a header: {text}");
            let rows: Vec<&str> = text.matches("summer.").collect();
            assert_eq!(rows.len(), serials.len(), "sheet {number}: {text}");
            for serial in serials {
                let id = format!("summer.{serial}<");
                assert_eq!(text.matches(&id).count(), 1, "{id} in sheet {number}: {text}");
            }
            let is_full = text.contains(&format!("<row r=\"{SHEET_MAX_ROWS}\""));
            assert_eq!(is_full, number < 3, "sheet {number}: {text}");
        }
        assert!(archive.by_name("xl/worksheets/sheet4.xml").is_err());
    }
}
