//! How a verb prints something: a table for people, the body of the HTTP interface for programs.

use std::fmt::{self, Display};
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tabwriter::TabWriter;

use crate::app::Failure;

/// The forms of output: a table for people, the JSON body that HTTP answers, one JSON object per
/// line, and comma-separated values with a header line. They are explained here and in docs/cli.md
/// only: with a sentence for each, every help would be as long as that of a server.
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
    /// The form that was asked for, or the one that fits the reader.
    pub(super) fn form(self) -> Form {
        let fitting = if std::io::stdout().is_terminal() { Form::Table } else { Form::Json };
        self.output.unwrap_or(fitting)
    }
}

/// Prints one body; its table has one line per field.
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

/// Prints bodies line by line: as CSV, or as JSON if that form is chosen.
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

/// Prints lines of cells; each column is as wide as its widest cell.
pub(super) fn show_table(lines: impl Iterator<Item = Vec<String>>) -> Result<(), Failure> {
    let mut table = TabWriter::new(Vec::new()).padding(2);
    for line in lines {
        writeln!(table, "{}", line.join("\t"))?;
    }
    let bytes = table.into_inner().map_err(unwritable)?;
    unless_left(std::io::stdout().write_all(&bytes))
}

/// Writes a line to standard output. If the reader has left, as `head` does, the line is lost.
/// That is no failure: a check still ends with its own exit code.
pub(super) fn say(line: impl Display) -> Result<(), Failure> {
    unless_left(writeln!(std::io::stdout(), "{line}"))
}

/// A write to a reader that has left is no failure.
pub(super) fn unless_left(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Whether the reader of standard output has left; then nobody sees what is shown again and again.
pub(super) fn is_unread() -> Result<bool, Failure> {
    let output = std::io::stdout();
    let mut ends = [PollFd::new(&output, PollFlags::empty())];
    poll(&mut ends, Some(&Timespec::default())).map_err(std::io::Error::from)?;
    Ok(ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

/// The text of a value in a table or in a line of CSV.
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

/// The fields of a body in their own order.
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

/// Reads an object in the order of its fields, which a map would change.
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
