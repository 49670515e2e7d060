//! `firstcome dead-letters …`.

use clap::Subcommand;

use super::confirm::confirm;
use super::output::{Form, Output, say, show, show_each, show_table};
use crate::app::{Context, Failure};
use crate::domain::dead_letter::DeadLetter;
use crate::domain::limits::PAGE_MAX_ROWS;
use crate::domain::who::Who;
use crate::prepare::{DeadLetterBody, DeadLetterPage};

/// What can be done with dead letters.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// List those that nobody has decided
    List {
        /// Also those that are decided
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Show one, with its raw bytes
    Show(Letter),
    /// Insert its tickets again, after the reason is gone
    Replay(Letter),
    /// Cancel its ticket and return the stock; its claim and serial are not used again; asks first
    Drop {
        #[command(flatten)]
        letter: Letter,
        /// Why, for those who look later
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// The arguments of a verb for one dead letter.
#[derive(clap::Args)]
pub(super) struct Letter {
    /// The dead letter, as `list` shows it
    id: String,
    #[command(flatten)]
    output: Output,
}

impl Verb {
    /// Asks before an action that cannot be undone.
    pub(super) fn confirm(&self) -> Result<(), Failure> {
        let Self::Drop { letter, yes, .. } = self else { return Ok(()) };
        let effect = "This cannot be undone, and its user cannot get another ticket.";
        confirm(&format!("Drop {}? {effect}", letter.id), *yes)
    }
}

/// Runs the verb.
pub(super) async fn perform(context: &Context, verb: Verb) -> Result<(), Failure> {
    let letters = &context.preparer.dead_letters;
    let (letter, output) = match verb {
        Verb::List { all, output } => return list(context, all, output.form()).await,
        Verb::Show(Letter { id, output }) => (letters.find(&id).await?, output),
        Verb::Replay(Letter { id, output }) => (letters.replay(&id, Who::Cli).await?, output),
        Verb::Drop { letter: Letter { id, output }, reason, .. } => {
            (letters.drop(&id, &reason, Who::Cli).await?, output)
        }
    };
    show(output.form(), &DeadLetterBody::of(&letter))
}

async fn list(context: &Context, also_decided: bool, form: Form) -> Result<(), Failure> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    loop {
        let after = letters.last().map_or("", |letter| letter.id.as_str());
        let page = context.preparer.dead_letters.list(after, also_decided, PAGE_MAX_ROWS).await?;
        if page.is_empty() {
            break;
        }
        letters.extend(page);
    }
    let bodies: Vec<DeadLetterBody> = letters.iter().map(DeadLetterBody::of).collect();
    match form {
        Form::Table if bodies.is_empty() => say("no dead letters"),
        Form::Table => {
            let header = ["ID", "TICKET", "USER", "PARKED AT", "DECISION", "REASON"];
            let header = std::iter::once(header.map(str::to_owned).to_vec());
            show_table(header.chain(bodies.iter().map(line_of)))
        }
        Form::Json => show(form, &DeadLetterPage { dead_letters: bodies, next_cursor: None }),
        form => show_each(form, &bodies),
    }
}

fn line_of(body: &DeadLetterBody) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        body.id.clone(),
        body.ticket_id.as_ref().map_or_else(dash, ToString::to_string),
        body.user_id.clone().unwrap_or_else(dash),
        body.parked_at.to_string(),
        body.decision.map_or_else(dash, |decision| decision.word().to_owned()),
        body.reason.clone(),
    ]
}
