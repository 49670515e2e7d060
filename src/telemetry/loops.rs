//! How the steps of the background loops end, counted. Both labels come from the closed sets of
//! this file.

use metrics::{Counter, counter, describe_counter};

/// Steps of the background loops, by `loop` and `outcome`.
const STEPS: &str = "firstcome_loop_steps_total";

/// A loop of a process; the label `loop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    /// Proves the life of Redis.
    Prover,
    /// Keeps the heartbeat in the data directory.
    HeartbeatFile,
    /// Writes the heartbeat into the database.
    HeartbeatRow,
    /// Finishes acts.
    Relay,
    /// Asks Redis and the database how they are.
    Gauges,
    /// Looks for lost coupons.
    Sweep,
    /// Keeps the histograms small.
    Upkeep,
    /// Builds filters of holders.
    Filters,
    /// Writes the rows.
    Persister,
    /// Keeps the private Redis alive.
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
            Self::Upkeep => "upkeep",
            Self::Filters => "filters",
            Self::Persister => "persister",
            Self::EmbeddedRedis => "embedded_redis",
        }
    }
}

/// What came of a step; the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// It did what it is there for.
    Done,
    /// There was nothing to do.
    Idle,
    /// Something did not answer, or is not proven.
    Failed,
    /// It was given up in the middle, for a new step or for the end of the process.
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

/// The counters of one loop, which are there before its first step.
pub struct StepMetrics([Counter; Stepped::ALL.len()]);

impl StepMetrics {
    /// Looks them up.
    pub fn of(name: Loop) -> Self {
        let counter =
            |outcome: Stepped| counter!(STEPS, "loop" => name.word(), "outcome" => outcome.word());
        Self(Stepped::ALL.map(counter))
    }

    /// One step ended like this.
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
