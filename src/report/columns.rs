//! Tables of text for a terminal.

use std::fmt::Write;

/// The widest that a column gets, in characters: a cell that is longer moves what stands behind it in its own row alone.
const WIDEST: usize = 100;

/// Writes rows of cells in columns, each row behind an indentation and without blanks at its end.
pub fn columns<R: AsRef<[String]>>(out: &mut String, indent: &str, rows: &[R]) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.as_ref().iter().enumerate() {
            let width = cell.chars().take(WIDEST).count();
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let cells = row.as_ref().iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "{indent}{}", cells.join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_in_columns_as_far_as_these_are_no_wider_than_a_terminal() {
        let mut out = String::new();
        let long = "x".repeat(70_000);
        let rows = [["A", "B", "C"], ["aé", "b", ""], ["a", &long, "c"]];
        columns(&mut out, " ", &rows.map(|row| row.map(str::to_owned)));
        let head = format!(" A   B{}  C\n", " ".repeat(WIDEST - 1));
        assert_eq!(out, format!("{head} aé  b\n a   {long}  c\n"));
    }
}
