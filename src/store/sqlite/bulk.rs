//! Statements of many rows. The driver hands every statement to a thread, so that rows one by one
//! cost twenty times as much.

/// Rows of one statement.
const ROWS_MAX: usize = 2_048;
/// Columns of the widest table that is written in bulk.
const COLUMNS_MAX: usize = 8;
/// SQLite's bound on the parameters of one statement.
const PARAMETERS_MAX: usize = 32_766;

const _: () = assert!(ROWS_MAX.is_power_of_two() && ROWS_MAX * COLUMNS_MAX <= PARAMETERS_MAX);

/// Cuts rows into chunks of powers of two, so that all batches together need a dozen prepared
/// texts, not one per size.
pub(super) fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = 1 << rows.len().min(ROWS_MAX).checked_ilog2()?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// `(?,?),(?,?)` for so many rows of so many columns.
pub(super) fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_row_once_and_in_order() {
        for len in [0, 1, 2, 3, 2_047, 2_048, 2_049, 8_192, 9_999] {
            let rows: Vec<usize> = (0..len).collect();
            let cut: Vec<usize> = chunks(&rows).flatten().copied().collect();
            assert_eq!(cut, rows);
            assert!(chunks(&rows).all(|chunk| chunk.len().is_power_of_two()));
        }
    }
}
