//! How a verb shows something: a table to people, the body of the HTTP interface to programs.

use std::fmt::{self, Display};
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tabwriter::TabWriter;

use crate::app::Failure;

/// The forms in which something is shown: a table for people, the body that HTTP answers, one
/// object a line, and the fields of the object with a line of names before them. Told here and in
/// docs/cli.md: with a sentence for each, every help would be as long as that of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Table,
    Json,
    Jsonl,
    Csv,
}

/// The option that chooses a form.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Output {
    /// table, json, jsonl or csv [default: table on a terminal, else json]
    #[arg(short, long, value_enum, value_name = "FORM", hide_possible_values = true)]
    output: Option<Form>,
}

impl Output {
    /// The form that was asked for, or that fits whoever reads.
    pub(super) fn form(self) -> Form {
        let fitting = if std::io::stdout().is_terminal() { Form::Table } else { Form::Json };
        self.output.unwrap_or(fitting)
    }
}

/// Shows one body; its table has a line for each field.
pub(super) fn show(form: Form, body: &impl Serialize) -> Result<(), Failure> {
    match form {
        Form::Table => {
            let fields = Fields::of(body)?.0;
            let lines = fields.iter().map(|(name, value)| vec![name.clone(), cell(value)]);
            show_table(lines)
        }
        Form::Json => say(serde_json::to_string_pretty(body).map_err(unwritable)?),
        Form::Jsonl | Form::Csv => show_each(form, std::slice::from_ref(body)),
    }
}

/// Shows bodies line by line: as CSV, or as JSON where that is asked for.
pub(super) fn show_each(form: Form, bodies: &[impl Serialize]) -> Result<(), Failure> {
    if form != Form::Csv {
        return bodies
            .iter()
            .try_for_each(|body| say(serde_json::to_string(body).map_err(unwritable)?));
    }
    if bodies.is_empty() {
        return Ok(());
    }
    let bodies = bodies.iter().map(Fields::of).collect::<Result<Vec<_>, _>>()?;
    // Not every body has every field.
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in bodies.iter().flat_map(|body| &body.0) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut lines = csv::Writer::from_writer(Vec::new());
    lines.write_record(&names).map_err(unwritable)?;
    for Fields(fields) in &bodies {
        let value = |name: &&str| fields.iter().find(|(own, _)| own == name);
        let cells = names.iter().map(|name| value(name).map_or_else(String::new, |(_, v)| cell(v)));
        lines.write_record(cells).map_err(unwritable)?;
    }
    let bytes = lines.into_inner().map_err(unwritable)?;
    unless_left(std::io::stdout().write_all(&bytes))
}

/// Shows lines of cells, each column as wide as its widest cell.
pub(super) fn show_table(lines: impl Iterator<Item = Vec<String>>) -> Result<(), Failure> {
    let mut table = TabWriter::new(Vec::new()).padding(2);
    for line in lines {
        writeln!(table, "{}", line.join("\t"))?;
    }
    let bytes = table.into_inner().map_err(unwritable)?;
    unless_left(std::io::stdout().write_all(&bytes))
}

/// Writes a line to standard output. A reader that has left, as `head` does, misses it; that is no
/// failure, and a check still ends as it would have.
pub(super) fn say(line: impl Display) -> Result<(), Failure> {
    unless_left(writeln!(std::io::stdout(), "{line}"))
}

/// A reader that has left is no failure.
pub(super) fn unless_left(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// The text of a value in a table or a line of CSV.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join("; "),
        value => value.to_string(),
    }
}

fn unwritable(error: impl Display) -> Failure {
    Failure::Refused(error.to_string())
}

/// The fields of a body in its own order.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn of(body: &impl Serialize) -> Result<Self, Failure> {
        let text = serde_json::to_string(body).map_err(unwritable)?;
        serde_json::from_str(&text).map_err(unwritable)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InSequence)
    }
}

/// Reads an object without changing the order of its fields, as a map would.
struct InSequence;

impl<'de> Visitor<'de> for InSequence {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}
