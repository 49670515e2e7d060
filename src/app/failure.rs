//! Why a verb of the command line failed, and the exit code that says so.

use std::process::ExitCode;

use crate::embedded::{self, data_dir, secrets};
use crate::redis;
use crate::store;
use crate::{archive, observe, prepare, settle};

/// A failure with its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// 1: refused, or a check failed.
    #[error("{0}")]
    Refused(String),
    /// 1: there is no such coupon, or it is a draft and the verb is for live ones.
    #[error("there is no such coupon")]
    NoCoupon,
    /// 1: an internal task ended by itself, so the process was stopped.
    #[error("an internal task stopped unexpectedly, so the process shut down; restart it")]
    Fallen,
    /// 2: used wrongly.
    #[error("{0}")]
    Usage(String),
    /// 3: something is missing or unreachable.
    #[error("{0}")]
    Missing(String),
    /// 4: the data directory is in use.
    #[error("{0}")]
    InUse(String),
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) | Self::NoCoupon | Self::Fallen => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Missing(_) => ExitCode::from(3),
            Self::InUse(_) => ExitCode::from(4),
        }
    }
}

impl From<embedded::Error> for Failure {
    fn from(error: embedded::Error) -> Self {
        match error {
            embedded::Error::InUse { .. } | embedded::Error::StillRunning { .. } => {
                Self::InUse(error.to_string())
            }
            embedded::Error::SocketPathTooLong { .. } => Self::Usage(error.to_string()),
            _ => Self::Missing(error.to_string()),
        }
    }
}

impl From<secrets::Error> for Failure {
    fn from(error: secrets::Error) -> Self {
        Self::Missing(error.to_string())
    }
}

impl From<data_dir::Error> for Failure {
    fn from(error: data_dir::Error) -> Self {
        Self::Missing(error.to_string())
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Missing(error.to_string())
    }
}

impl From<redis::Error> for Failure {
    fn from(error: redis::Error) -> Self {
        match error {
            redis::Error::Url(_) => Self::Usage(error.to_string()),
            _ => Self::Missing(error.to_string()),
        }
    }
}

impl From<prepare::Refusal> for Failure {
    fn from(refusal: prepare::Refusal) -> Self {
        match refusal {
            prepare::Refusal::Invalid(faults) => {
                let sentences: Vec<String> = faults
                    .into_iter()
                    .map(|(pointer, detail)| of_the_command_line(pointer, &detail))
                    .collect();
                Self::Refused(sentences.join("; "))
            }
            prepare::Refusal::CouponNotFound => Self::NoCoupon,
            prepare::Refusal::Store(_) | prepare::Refusal::Redis(_) => {
                Self::Missing(refusal.to_string())
            }
            refusal => Self::Refused(refusal.to_string()),
        }
    }
}

/// A fault of a value, with the name of its flag: `/closes_at` was given as `--closes-at`.
fn of_the_command_line(pointer: &str, detail: &str) -> String {
    let name = match pointer {
        // An argument, not a flag.
        "/delta" => "DELTA".to_owned(),
        pointer => format!("--{}", pointer.trim_start_matches('/').replace('_', "-")),
    };
    format!("{name} {}", detail.replace("opens_at", "--opens-at"))
}

impl From<observe::Error> for Failure {
    fn from(error: observe::Error) -> Self {
        match error {
            observe::Error::CouponNotFound => Self::NoCoupon,
            observe::Error::Store(error) => error.into(),
            observe::Error::Redis(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl From<archive::Error> for Failure {
    fn from(error: archive::Error) -> Self {
        match error {
            archive::Error::NotFound => Self::NoCoupon,
            archive::Error::Store(error) => error.into(),
            archive::Error::Redis(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl From<settle::Error> for Failure {
    fn from(error: settle::Error) -> Self {
        match error {
            settle::Error::Store(error) => error.into(),
            settle::Error::Redis(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Missing(error.to_string())
    }
}
