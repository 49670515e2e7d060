//! The command line: data on standard output, talk on standard error. Exit codes: 0 done, 1 refused
//! or a check failed, 2 usage, 3 something is missing or unreachable, 4 the data directory is in
//! use.

mod coupon;
mod doctor;
mod output;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::app::{self, Database, Failure, House};
use crate::config::{LogFormat, Settings};
use crate::domain::coupon::CouponId;
use crate::domain::limits::HUNG_WAIT;
use crate::domain::ticket::TicketId;
use crate::domain::who::Who;
use crate::embedded::data_dir;
use crate::telemetry::logs;

use coupon::coupon_id;
use output::{print_json, say};

/// N tickets, a million people, one second: exactly N get one.
///
/// Nothing set at all is the embedded set-up: `firstcome serve` starts a private Redis and a SQLite
/// file in the data directory, and prints the commands that lead to a first ticket. With REDIS_URL
/// and DATABASE_URL it uses those servers.
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
        /// Create and preload the coupon `welcome` with 100 tickets when there is no coupon yet
        #[arg(long)]
        demo: bool,
    },
    /// Persist, and serve admins: drain the streams into the database
    Worker,
    /// Create coupons, change them, look at them
    #[command(subcommand)]
    Coupon(coupon::Verb),
    /// Change tickets
    #[command(subcommand)]
    Ticket(TicketVerb),
    /// Check the balance of a coupon; exit code 1 when it does not hold
    Audit {
        /// The coupon
        #[arg(value_parser = coupon_id)]
        id: CouponId,
    },
    /// Check that Redis and the database are safe to use; exit code 1 when they are not
    Doctor {
        /// Print a new key for FIRSTCOME_CODE_KEYS and do nothing else
        #[arg(long)]
        new_key: bool,
    },
    /// Bring the database's schema up to date; servers do it at start too, unless
    /// FIRSTCOME_MIGRATE is off
    Migrate,
}

#[derive(Subcommand)]
enum TicketVerb {
    /// Give a ticket's stock back; its claim and its serial stay spent
    Cancel {
        /// The ticket, `<coupon_id>.<serial>`
        #[arg(value_parser = ticket_id)]
        id: TicketId,
    },
}

/// Parses the arguments, does what they say, and turns the result into an exit code.
pub fn run() -> ExitCode {
    let matches = command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let format = match cli.settings.log_format {
        LogFormat::Text => logs::Format::Text,
        LogFormat::Json => logs::Format::Json,
    };
    if let Err(fault) = logs::install(&cli.settings.log, format) {
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
        // A disk that hangs must not keep a process that has stopped.
        runtime.shutdown_timeout(HUNG_WAIT);
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// An empty variable is none: a file of variables often names some without a value.
fn command() -> clap::Command {
    Cli::command().mut_args(|argument| {
        let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
        match argument.get_env().is_some_and(is_empty) {
            true => argument.env(None::<&'static str>),
            false => argument,
        }
    })
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
        Verb::Migrate => House::migrate(settings).await,
        Verb::Coupon(verb) => {
            let house = visit_with(settings, verb.database()).await?;
            let done = coupon::perform(&house, verb).await;
            house.close().await;
            done
        }
        Verb::Ticket(TicketVerb::Cancel { id }) => {
            let house = visit(settings).await?;
            let done = house.preparer.cancel(&id, Who::Cli).await;
            house.close().await;
            done?;
            say(format_args!("{id} is cancelled"))
        }
        Verb::Audit { id } => {
            let house = visit(settings).await?;
            let audit = house.observer.audit(&id).await;
            house.close().await;
            let audit = audit?;
            print_json(&audit)?;
            match audit.ok {
                true => Ok(()),
                false => Err(Failure::Refused(audit.faults.join("; "))),
            }
        }
    }
}

/// The house for a single command that needs Redis too.
async fn visit(settings: &Settings) -> Result<House, Failure> {
    visit_with(settings, Database::Needed).await
}

async fn visit_with(settings: &Settings, database: Database) -> Result<House, Failure> {
    let house = House::visit(settings, database).await?;
    match house.reach_redis().await {
        Ok(()) => Ok(house),
        Err(failure) => {
            house.close().await;
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
