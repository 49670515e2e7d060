//! The state of the database. Issuing continues without it, so most of its faults are warnings.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::question::Question;
use crate::domain::code::CodeKeys;
use crate::domain::ticket::TicketId;
use crate::observe::encryption::password_in_the_clear;
use crate::observe::undecided::{of_contested, of_dead_letters};
use crate::store::{self, Store};
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::metrics;

/// How often all questions are asked, not only whether it answers.
const EVERYTHING_EVERY: Duration = Duration::from_secs(5);

/// Everything that the database reports about itself.
struct Everything {
    version: String,
    key_ids: Vec<String>,
    unsafe_settings: Vec<String>,
    /// Why it accepts no rows.
    refusal: Option<String>,
    dead_letters: u64,
    contested: Option<(u64, TicketId)>,
}

enum Answer {
    Everything(Everything),
    Here,
    /// It is there, and a person must repair it: the reason.
    Unsuited(String),
}

/// Asks the database.
pub(super) struct DatabaseGauge {
    store: Arc<dyn Store>,
    keys: Arc<CodeKeys>,
    health: Health,
    question: Question<store::Result<Answer>>,
    /// Its name and version, once it has reported them.
    pub(super) version: Option<String>,
    /// When all questions are due again; at once while they fail.
    everything_at: Instant,
    /// The report of its last good answer. A missing key stays missing while the database is away.
    known: Report,
}

impl DatabaseGauge {
    pub(super) fn new(store: Arc<dyn Store>, keys: Arc<CodeKeys>, health: Health) -> Self {
        Self {
            store,
            keys,
            health,
            question: Question::to("the database"),
            version: None,
            everything_at: Instant::now(),
            known: Report::default(),
        }
    }

    /// Asks, and reports. Returns whether it got an answer.
    pub(super) async fn step(&mut self) -> bool {
        let store = self.store.clone();
        let is_due = self.everything_at <= Instant::now();
        let look = || async move {
            let answered = match is_due {
                true => everything(store.as_ref()).await.map(Answer::Everything),
                false => store.ping().await.map(|()| Answer::Here),
            };
            match answered {
                Err(store::Error::Open(sentence)) => Ok(Answer::Unsuited(sentence)),
                answered => answered,
            }
        };
        let answer = self.question.ask(|| look().boxed()).await;
        let is_there = answer.is_some();
        match answer {
            Some(Answer::Everything(everything)) => self.learn(everything),
            Some(Answer::Unsuited(sentence)) => {
                self.known.warnings = vec![format!("the database does not suit: {sentence}")];
            }
            Some(Answer::Here) | None => {}
        }
        self.report();
        is_there
    }

    fn learn(&mut self, everything: Everything) {
        if everything.refusal.is_none() {
            self.everything_at = Instant::now() + EVERYTHING_EVERY;
        }
        self.version = Some(everything.version);
        let is_missing = |id: &&String| self.keys.find(id).is_none();
        let sentence = |id| format!("the code key {id} is not in FIRSTCOME_CODE_KEYS");
        metrics::dead_letters(everything.dead_letters);
        let parked = of_dead_letters(everything.dead_letters);
        let contested = everything.contested.as_ref().map(of_contested);
        self.known = Report {
            reasons: everything.key_ids.iter().filter(is_missing).map(sentence).collect(),
            warnings: [everything.refusal, contested, parked]
                .into_iter()
                .flatten()
                .chain(everything.unsafe_settings)
                .collect(),
        };
    }

    fn report(&self) {
        let mut report = self.known.clone();
        report.warnings.splice(0..0, self.question.silence());
        let hosts = self.store.hosts_told_in_the_clear().into_iter();
        let mend = "sslmode=verify-full or sslmode=require";
        report.warnings.extend(password_in_the_clear("the database", hosts, mend));
        self.health.report(Part::Database, report);
    }
}

async fn everything(store: &dyn Store) -> store::Result<Everything> {
    Ok(Everything {
        version: store.version().await?,
        key_ids: store.key_ids().await?,
        unsafe_settings: store.unsafe_settings().await?,
        refusal: match store.rehearse().await {
            Ok(()) => None,
            Err(error @ store::Error::ReadOnly(_)) => Some(error.to_string()),
            Err(error) => Some(format!("the database takes no rows: {error}")),
        },
        dead_letters: store.count_dead_letters().await?,
        contested: store.all_contested().await?,
    })
}
