//! The reports of the parts of a process about their own work, which `/readyz` shows together.
//! Health comes from the real work, not from a separate, simpler check.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A part of the process that reports. `/readyz` shows the parts in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Redis, as the gauges see it.
    Redis,
    /// The prover, which proves that Redis has its data.
    Prover,
    /// Replicas of a Redis that should have none according to the settings.
    Replicas,
    /// The file `heartbeat` in the data directory of this process.
    Heartbeat,
    /// The hot path, which issues tickets.
    Issuer,
    /// Coupons that are lost or damaged.
    Coupons,
    /// The recovery of coupons.
    Recovery,
    /// Acts about which Redis and the database disagree.
    Relay,
    /// The persister, which writes the rows.
    Persister,
    /// The records that wait in the streams, as the gauges see them.
    Streams,
    /// The database, as the gauges see it.
    Database,
}

/// The sentences of one part, for an operator; empty when all is well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Why this process should get no requests: `/readyz` is 503.
    pub reasons: Vec<String>,
    /// What an operator should fix, although the process can serve requests.
    pub warnings: Vec<String>,
}

impl Report {
    fn sentences(&self) -> impl Iterator<Item = &String> {
        self.reasons.iter().chain(&self.warnings)
    }

    /// Whether it has this sentence, with the same or with other numbers.
    fn has(&self, sentence: &str) -> bool {
        let words = |sentence: &str| sentence.replace(|letter: char| letter.is_ascii_digit(), "");
        self.sentences().any(|other| words(other) == words(sentence))
    }
}

/// A report, and until when it is valid; without an end for `None`.
type Said = (Report, Option<Instant>);

/// The reports of all parts; cheap to clone, and all clones share them.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Part, Said>>>);

impl Health {
    /// Replaces the last report of this part; an empty report removes it. A sentence is logged when
    /// it appears and when it disappears, but not when only its numbers change.
    pub fn report(&self, part: Part, report: Report) {
        self.say(part, report, None);
    }

    /// As [`Health::report`], for a part that notices failures but no successes. It must repeat the
    /// report while the failure lasts: the report ends after `lasting`.
    pub fn report_for(&self, part: Part, report: Report, lasting: Duration) {
        self.say(part, report, Some(Instant::now() + lasting));
    }

    fn say(&self, part: Part, report: Report, until: Option<Instant>) {
        let before = self.reports().insert(part, (report.clone(), until)).unwrap_or_default().0;
        for sentence in report.sentences().filter(|sentence| !before.has(sentence)) {
            tracing::warn!(sentence, "new sentence in /readyz");
        }
        for sentence in before.sentences().filter(|sentence| !report.has(sentence)) {
            tracing::info!(sentence, "sentence gone from /readyz");
        }
    }

    /// The current reports of all parts, in the order of the parts. Never waits for a server.
    pub fn told(&self) -> Report {
        let now = Instant::now();
        let is_over = |(_, until): &Said| until.is_some_and(|until| until <= now);
        let over: Vec<Part> = {
            let reports = self.reports();
            reports.iter().filter(|(_, said)| is_over(said)).map(|(part, _)| *part).collect()
        };
        over.into_iter().for_each(|part| self.report(part, Report::default()));
        let mut told = Report::default();
        for (report, _) in self.reports().values() {
            told.reasons.extend_from_slice(&report.reasons);
            told.warnings.extend_from_slice(&report.warnings);
        }
        told
    }

    fn reports(&self) -> MutexGuard<'_, BTreeMap<Part, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(reason: &str, warning: &str) -> Report {
        Report { reasons: vec![reason.to_owned()], warnings: vec![warning.to_owned()] }
    }

    #[test]
    fn only_the_numbers_of_a_sentence_may_change_without_a_word_in_the_log() {
        let told = report("silent for 9 s", "slow");
        assert!(told.has("silent for 10 s") && told.has("slow"));
        assert!(!told.has("silent") && !Report::default().has("slow"));
    }

    #[test]
    fn a_part_replaces_only_what_it_said_itself_and_the_parts_keep_their_order() {
        let health = Health::default();
        let same = health.clone();
        same.report(Part::Persister, report("refused", "slow"));
        health.report(Part::Issuer, report("no script runs", "late"));
        assert_eq!(health.told().reasons, ["no script runs", "refused"]);
        assert_eq!(health.told().warnings, ["late", "slow"]);
        health.report(Part::Issuer, report("no memory", "late"));
        assert_eq!(same.told().reasons, ["no memory", "refused"]);
        same.report(Part::Issuer, Report::default());
        health.report(Part::Persister, Report::default());
        assert_eq!(health.told(), Report::default());
    }

    #[test]
    fn what_is_said_for_a_time_is_over_when_it_is_not_said_again() {
        let health = Health::default();
        health.report_for(Part::Issuer, report("no script runs", "late"), Duration::from_secs(60));
        assert_eq!(health.told(), report("no script runs", "late"));
        health.report_for(Part::Issuer, report("no script runs", "late"), Duration::ZERO);
        assert_eq!(health.told(), Report::default());
    }
}
