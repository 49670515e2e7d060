//! The command line: data goes to standard output, messages to standard error. Exit codes: 0 done,
//! 1 refused or a check failed, 2 usage, 3 something is missing or unreachable, 4 the data
//! directory is in use.

mod audit;
mod confirm;
mod coupon;
mod dead_letters;
mod doctor;
mod layout;
mod output;
mod reconcile;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::CompleteEnv;

use crate::app::{self, Context, Database, Failure};
use crate::config::{LogFormat, Settings};
use crate::domain::limits::{HUNG_WAIT, TOTAL_MAX};
use crate::domain::ticket::TicketId;
use crate::domain::who::Who;
use crate::embedded::data_dir;
use crate::prepare::ReceivedTicket;
use crate::telemetry::logs;

use confirm::confirm;
use output::say;

/// N tickets, a million people, one second: exactly N get one.
///
/// Without settings, `firstcome serve` is the embedded set-up: it starts a private Redis, makes a
/// SQLite file in the data directory, and prints the commands that lead to a first ticket. With
/// REDIS_URL and DATABASE_URL it uses those servers.
#[derive(Parser)]
#[command(name = "firstcome", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve users and admins
    Serve {
        /// Create and preload the coupon `welcome` with this many tickets, if there is no coupon
        /// yet
        #[arg(
            long,
            value_name = "TICKETS",
            num_args = 0..=1,
            require_equals = true,
            default_missing_value = "100",
            value_parser = clap::value_parser!(u64).range(1..=TOTAL_MAX)
        )]
        demo: Option<u64>,
    },
    /// Write issued tickets from Redis into the database, and serve admins
    Worker,
    /// Create coupons, change them, look at them
    #[command(subcommand)]
    Coupon(coupon::Verb),
    /// Change tickets
    #[command(subcommand)]
    Ticket(TicketVerb),
    /// Look at tickets that the database refused, replay or drop them
    #[command(subcommand)]
    DeadLetters(dead_letters::Verb),
    /// Check the balance of a coupon, or of all; exit code 1 when one is wrong
    Audit(audit::Audit),
    /// Compare each ticket in Redis with its row, and recover with --apply; exit code 1 when they
    /// differ
    Reconcile(reconcile::Reconcile),
    /// Check that Redis and the database are safe to use; exit code 1 when they are not
    Doctor {
        /// Print a new key for FIRSTCOME_CODE_KEYS and do nothing else
        #[arg(long)]
        new_key: bool,
    },
    /// Bring the database's schema up to date; servers do it at start too, unless
    /// FIRSTCOME_MIGRATE is off
    Migrate,
    /// Show every setting, with its flag and its variable
    Settings,
    /// Write the man pages, one per verb
    Man {
        /// The folder; it is made when it is missing
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
enum TicketVerb {
    /// Give a lost ticket to its user again, from the withheld stock
    Restore {
        /// The ticket as the user got it, JSON; - reads standard input
        file: PathBuf,
    },
    /// Cancel a ticket and return its stock; its claim and serial are not used again; asks first
    Cancel {
        /// The ticket, `<coupon_id>.<serial>`
        #[arg(value_parser = ticket_id)]
        id: TicketId,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Parses the arguments, runs the verb, and turns the result into an exit code.
pub fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if has_completed(&words) {
        return ExitCode::SUCCESS;
    }
    let matches = command(&words).get_matches_from(&words);
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let format = match cli.settings.log_format {
        LogFormat::Text => logs::Format::Text,
        LogFormat::Json => logs::Format::Json,
    };
    let filter = match cli.verb {
        Verb::Serve { .. } | Verb::Worker => "info,actix_server=warn",
        _ => "warn",
    };
    let filter = cli.settings.log.as_deref().unwrap_or(filter);
    if let Err(fault) = logs::install(filter, format) {
        return fail(&Failure::Usage(format!("FIRSTCOME_LOG: {fault}")));
    }
    if let Err(fault) = cli.settings.read_secret_files() {
        return fail(&Failure::Usage(fault));
    }
    data_dir::keep_private();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::from);
    let done = runtime.and_then(|runtime| {
        let done = runtime.block_on(perform(cli));
        // A disk that hangs must not keep a process alive that has stopped.
        runtime.shutdown_timeout(HUNG_WAIT);
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Whether a shell asked for completions and got them. If the shell has left, it misses them.
fn has_completed(words: &[OsString]) -> bool {
    let completer = CompleteEnv::with_factory(|| command(words));
    let here = std::env::current_dir().ok();
    completer.try_complete(words, here.as_deref()).unwrap_or_else(|error| {
        // The completion writes only to the shell, and reports no details of a failed write.
        match error.kind() {
            ErrorKind::Io => true,
            _ => error.exit(),
        }
    })
}

/// The command line for these words.
fn command(words: &[OsString]) -> clap::Command {
    layout::laid_out(Cli::command(), words)
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("firstcome: {failure}");
    failure.exit_code()
}

async fn perform(cli: Cli) -> Result<(), Failure> {
    let settings = &cli.settings;
    match cli.verb {
        Verb::Serve { demo } => app::serve(settings, demo).await,
        Verb::Worker => app::work(settings).await,
        Verb::Doctor { new_key: true } => doctor::print_new_key(),
        Verb::Doctor { new_key: false } => doctor::examine(settings).await,
        Verb::Migrate => Context::migrate(settings).await,
        Verb::Settings => show_settings(),
        Verb::Man { folder } => write_man_pages(&folder),
        Verb::Coupon(verb) => {
            verb.confirm()?;
            let context = context_with(settings, verb.database()).await?;
            let done = coupon::perform(&context, verb).await;
            context.close().await;
            done
        }
        Verb::Ticket(TicketVerb::Cancel { id, yes }) => {
            let effect = "This cannot be undone, and its user cannot get another one.";
            confirm(&format!("Cancel {id}? {effect}"), yes)?;
            let context = context_of(settings).await?;
            let done = context.preparer.cancel(&id, Who::Cli).await;
            context.close().await;
            done?;
            say(format_args!("{id} is cancelled"))
        }
        Verb::Ticket(TicketVerb::Restore { file }) => {
            let received = received(&file)?;
            let context = context_of(settings).await?;
            let done = context.preparer.restore(&received, Who::Cli).await;
            context.close().await;
            say(format_args!("{} is restored", done?))
        }
        Verb::DeadLetters(verb) => {
            verb.confirm()?;
            let context = context_of(settings).await?;
            let done = dead_letters::perform(&context, verb).await;
            context.close().await;
            done
        }
        Verb::Reconcile(reconcile) => {
            let context = context_of(settings).await?;
            let done = reconcile.perform(&context).await;
            context.close().await;
            done
        }
        Verb::Audit(audit) => {
            let context = context_of(settings).await?;
            let done = audit.perform(&context).await;
            context.close().await;
            done
        }
    }
}

/// A ticket in a file, or the whole answer that contains it.
fn received(file: &Path) -> Result<ReceivedTicket, Failure> {
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin())?,
        false => std::fs::read_to_string(file)?,
    };
    let malformed = |error| Failure::Usage(format!("{} has no ticket: {error}", file.display()));
    let mut answer: serde_json::Value = serde_json::from_str(&text).map_err(malformed)?;
    let ticket = answer.get_mut("ticket").map(serde_json::Value::take).unwrap_or(answer);
    serde_json::from_value(ticket).map_err(malformed)
}

fn show_settings() -> Result<(), Failure> {
    let mut command = command(&[]);
    command.build();
    let settings = command.find_subcommand_mut("settings");
    settings.map_or(Ok(()), |settings| say(settings.render_long_help()))
}

fn write_man_pages(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    Ok(clap_mangen::generate_to(command(&[]), folder)?)
}

/// The context for a single command that needs Redis too.
async fn context_of(settings: &Settings) -> Result<Context, Failure> {
    context_with(settings, Database::Needed).await
}

async fn context_with(settings: &Settings, database: Database) -> Result<Context, Failure> {
    let context = Context::of_verb(settings, database).await?;
    match context.reach_redis().await {
        Ok(()) => Ok(context),
        Err(failure) => {
            context.close().await;
            Err(failure)
        }
    }
}

fn ticket_id(text: &str) -> Result<TicketId, String> {
    TicketId::parse(text).ok_or_else(|| "must be <coupon_id>.<serial>".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
