//! The counts of a run that a document may quote, in one line.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;

use super::checker::Broken;
use super::history::{Asked, Call, Told};
use super::part::{Fault, Part};

/// What happened, what users were told, and what was found broken.
pub struct Counts<'a> {
    pub seed: u64,
    pub part: Part,
    pub lasted: Duration,
    pub faults: &'a BTreeMap<Fault, u64>,
    pub calls: &'a [Call],
    pub broken: &'a [(Broken, String)],
    /// Replies to users that were cut.
    pub cut_replies: u64,
    /// Replies of Redis and of the database that were cut.
    pub cut_behind: u64,
    pub withheld: u64,
}

impl Counts<'_> {
    /// Adds the line to the end of a file.
    pub fn keep(&self, file: &Path) {
        let mut file = std::fs::File::options().create(true).append(true).open(file).unwrap();
        writeln!(file, "{self}").unwrap();
    }

    fn faults(&self, kinds: &[Fault]) -> u64 {
        kinds.iter().filter_map(|fault| self.faults.get(fault)).sum()
    }

    fn broken(&self, kinds: &[Broken]) -> usize {
        self.broken.iter().filter(|(broken, _)| kinds.contains(broken)).count()
    }

    fn issues(&self) -> impl Iterator<Item = (&str, &Call)> {
        self.calls.iter().filter_map(|call| match &call.asked {
            Asked::Issue { user } => Some((user.as_str(), call)),
            _ => None,
        })
    }

    /// Users of whom an answer is of this kind.
    fn users(&self, is_counted: impl Fn(&Told) -> bool) -> usize {
        let users = self.issues().filter(|(_, call)| is_counted(&call.told));
        users.map(|(user, _)| user).collect::<HashSet<_>>().len()
    }

    fn answers(&self, is_counted: impl Fn(&Told) -> bool) -> usize {
        self.issues().filter(|(_, call)| is_counted(&call.told)).count()
    }

    /// The longest time in which nobody got another answer than 503, in milliseconds.
    fn unavailable_ms(&self) -> u128 {
        let mut decided: Vec<Duration> =
            self.calls.iter().filter(|call| is_decided(&call.told)).map(|c| c.answered).collect();
        decided.push(Duration::ZERO);
        decided.extend(self.calls.iter().map(|call| call.answered).max());
        decided.sort_unstable();
        let gaps = decided.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        gaps.max().unwrap_or_default().as_millis()
    }
}

/// Whether the user does not know if there is a ticket: no answer, or one that says so.
fn is_unknown(told: &Told) -> bool {
    match told {
        Told::Refused(_, code) => code == "outcome_unknown",
        told => *told == Told::Unknown,
    }
}

fn is_refused(told: &Told) -> bool {
    matches!(told, Told::Refused(..)) && !is_unknown(told)
}

fn is_decided(told: &Told) -> bool {
    match told {
        Told::Refused(status, _) => *status != StatusCode::SERVICE_UNAVAILABLE,
        told => *told != Told::Unknown,
    }
}

impl fmt::Display for Counts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redis_kills = self.faults(&[Fault::RedisKilled, Fault::RedisEmptied]);
        let is_told = |told: &Told| matches!(told, Told::Ticket(_));
        let counts = [
            ("redis_kills", redis_kills),
            ("redis_stops", self.faults(&[Fault::RedisStopped])),
            // Each kill is followed by a start.
            ("redis_restarts", redis_kills),
            ("redis_losses", self.faults(&[Fault::RedisFlushed, Fault::CouponDeleted])),
            ("server_kills", self.faults(&[Fault::ServerKilled])),
            ("database_outages", self.faults(&[Fault::DatabaseStopped, Fault::DatabaseKilled])),
            ("cut_replies", self.cut_replies),
            ("cut_behind", self.cut_behind),
            ("users", self.users(|_| true) as u64),
            ("told", self.users(is_told) as u64),
            ("refused", self.answers(is_refused) as u64),
            ("unknown", self.answers(is_unknown) as u64),
            ("lost", self.broken(&[Broken::Lost, Broken::Forgotten]) as u64),
            ("doubled", self.broken(&[Broken::Doubled, Broken::Changed]) as u64),
            ("over_issued", self.broken(&[Broken::OverIssued]) as u64),
            ("withheld", self.withheld),
        ];
        let Self { seed, part, lasted, .. } = self;
        write!(formatter, "part={part:?} seed={seed} seconds={}", lasted.as_secs())?;
        for (name, count) in counts {
            write!(formatter, " {name}={count}")?;
        }
        write!(formatter, " unavailable_ms={}", self.unavailable_ms())
    }
}

#[test]
fn the_line_counts_faults_answers_and_the_longest_time_without_a_decision() {
    let call = |sent_ms, answered_ms, told| Call {
        asked: Asked::Issue { user: format!("u{sent_ms}") },
        sent: Duration::from_millis(sent_ms),
        answered: Duration::from_millis(answered_ms),
        told,
    };
    let away = |code: &str| Told::Refused(StatusCode::SERVICE_UNAVAILABLE, code.to_owned());
    let sold_out = Told::Refused(StatusCode::CONFLICT, "sold_out".to_owned());
    let calls = [
        call(0, 10, Told::Ticket(serde_json::Value::Null)),
        call(20, 400, away("recovering")),
        call(25, 450, away("outcome_unknown")),
        call(30, 500, Told::Unknown),
        call(40, 710, sold_out),
        call(50, 800, Told::Unknown),
    ];
    let faults = BTreeMap::from([(Fault::RedisKilled, 2), (Fault::RedisEmptied, 1)]);
    let broken = [(Broken::Lost, String::new()), (Broken::OverIssued, String::new())];
    let lasted = Duration::from_secs(7);
    let counts = Counts {
        seed: 5,
        part: Part::Redis,
        lasted,
        faults: &faults,
        calls: &calls,
        broken: &broken,
        cut_replies: 3,
        cut_behind: 4,
        withheld: 9,
    };
    let line = "part=Redis seed=5 seconds=7 redis_kills=3 redis_stops=0 redis_restarts=3 \
                redis_losses=0 server_kills=0 database_outages=0 cut_replies=3 cut_behind=4 \
                users=6 told=1 refused=2 unknown=3 lost=1 doubled=0 over_issued=1 withheld=9 \
                unavailable_ms=700";
    assert_eq!(counts.to_string(), line);
}
