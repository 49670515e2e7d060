//! Counts how the steps of the background loops end. Both labels come from the closed sets of this
//! file.

use metrics::{Counter, counter, describe_counter};

/// Steps of the background loops, by `loop` and `outcome`.
const STEPS: &str = "firstcome_loop_steps_total";

/// A loop of a process; the label `loop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    /// Proves that Redis has its data.
    Prover,
    /// Writes the heartbeat to the data directory.
    HeartbeatFile,
    /// Writes the heartbeat to the database.
    HeartbeatRow,
    /// Finishes interrupted acts.
    Relay,
    /// Measures Redis, the database and the streams.
    Gauges,
    /// Looks for coupons whose keys Redis lost.
    Sweep,
    /// Recovers coupons that Redis forgot.
    Recoverer,
    /// Archives coupons that are closed.
    Archiver,
    /// Says in the database that this server lives, and what it told.
    ProcessRow,
    /// Keeps the histograms small.
    Upkeep,
    /// Builds the filters of holders.
    Filters,
    /// Writes records as rows.
    Persister,
    /// Restarts the private Redis when it ends.
    EmbeddedRedis,
}

impl Loop {
    fn word(self) -> &'static str {
        match self {
            Self::Prover => "prover",
            Self::HeartbeatFile => "heartbeat_file",
            Self::HeartbeatRow => "heartbeat_row",
            Self::Relay => "relay",
            Self::Gauges => "gauges",
            Self::Sweep => "sweep",
            Self::Recoverer => "recoverer",
            Self::Archiver => "archiver",
            Self::ProcessRow => "process_row",
            Self::Upkeep => "upkeep",
            Self::Filters => "filters",
            Self::Persister => "persister",
            Self::EmbeddedRedis => "embedded_redis",
        }
    }
}

/// How a step ended; the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// It did its work.
    Done,
    /// There was nothing to do.
    Idle,
    /// Something did not answer, or Redis is not proven.
    Failed,
    /// It was cancelled before its end, for a new step or because the process ends.
    Interrupted,
}

impl Stepped {
    const ALL: [Self; 4] = [Self::Done, Self::Idle, Self::Failed, Self::Interrupted];

    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Idle => "idle",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The counters of one loop, registered before its first step.
pub struct StepMetrics([Counter; Stepped::ALL.len()]);

impl StepMetrics {
    /// Registers the counters of this loop.
    pub fn of(name: Loop) -> Self {
        let counter =
            |outcome: Stepped| counter!(STEPS, "loop" => name.word(), "outcome" => outcome.word());
        Self(Stepped::ALL.map(counter))
    }

    /// Counts one step.
    pub fn ended(&self, outcome: Stepped) {
        self.0[outcome as usize].increment(1);
    }
}

pub(super) fn describe() {
    describe_counter!(STEPS, "Steps of the background loops, by loop and outcome.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::counted_by;

    #[test]
    fn all_outcomes_of_a_loop_are_there_before_its_first_step_and_each_is_counted_as_itself() {
        let said = |outcome: &str, count| {
            format!("{STEPS}{{loop=\"heartbeat_row\",outcome=\"{outcome}\"}} {count}\n")
        };
        let before = counted_by(|| drop(StepMetrics::of(Loop::HeartbeatRow)));
        for outcome in ["done", "idle", "failed", "interrupted"] {
            assert!(before.contains(&said(outcome, 0)), "{before}");
        }
        for outcome in Stepped::ALL {
            let after = counted_by(|| StepMetrics::of(Loop::HeartbeatRow).ended(outcome));
            assert!(after.contains(&said(outcome.word(), 1)), "{after}");
        }
    }
}
