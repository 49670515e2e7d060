//! One script: called by its SHA, and sent with its text if the server does not know it.

use ::redis::aio::ConnectionLike;
use ::redis::{Arg, Cmd, RedisError, Value, cmd, pipe};

use super::{Error, Result};

/// Commands in our scripts that write nothing. Every other command counts as a write.
const READS: [&str; 13] = [
    "EXISTS", "GET", "HGET", "HGETALL", "HLEN", "HMGET", "HSCAN", "INFO", "TIME", "XINFO", "XLEN",
    "XPENDING", "XRANGE",
];

/// A script of `lua/` with its parts, embedded in the binary.
pub struct Script {
    name: &'static str,
    text: String,
    sha: String,
    /// The line of its first write; beyond the last line when it has none.
    first_write: usize,
}

impl Script {
    /// The script of this name; computes the SHA.
    pub fn new(name: &'static str, text: String) -> Self {
        let sha = ::redis::Script::new(&text).get_hash().to_owned();
        let first_write = text.lines().take_while(|line| !writes(line)).count() + 1;
        Self { name, text, sha, first_write }
    }

    /// The name of its file.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// A call that always carries the text; only for calls that cannot be sent a second time.
    pub(crate) fn whole(&self, keys: &[&str]) -> Cmd {
        let mut call = cmd("EVAL");
        call.arg(&self.text).arg(keys.len()).arg(keys);
        call
    }

    /// The first command of a line, named as in ACL rules: `time`, `xgroup|create`.
    pub(super) fn command_in(&self, line: usize) -> Option<String> {
        let (_, call) = self.text.lines().nth(line.checked_sub(1)?)?.split_once("redis.call('")?;
        let mut words = call.split('\'');
        let command = words.next()?.to_lowercase();
        let part = words.nth(1).filter(|_| ["xgroup", "xinfo"].contains(&command.as_str()));
        Some(match part {
            Some(part) => format!("{command}|{}", part.to_lowercase()),
            None => command,
        })
    }

    /// A call with these keys; the caller adds the arguments of the header, in their order.
    pub fn call(&self, keys: &[String]) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(&self.sha).arg(keys.len()).arg(keys);
        call
    }

    /// Sends a call. If the server does not know the script, it ran nothing of it: the call is sent
    /// once more with the text, which the server then caches. The script is not loaded first and
    /// called afterwards, because a SCRIPT FLUSH in between would make the call fail.
    ///
    /// # Errors
    /// [`Error::Refused`] or [`Error::Unknown`].
    pub async fn run(&self, connection: &mut impl ConnectionLike, call: &Cmd) -> Result<Value> {
        match call.query_async(connection).await {
            Err(error) if Error::is_missing_script(&error) => {
                let whole = self.with_text(call);
                whole.query_async(connection).await.map_err(|error| self.failed(error))
            }
            replied => replied.map_err(|error| self.failed(error)),
        }
    }

    /// Sends all calls in one pipeline, and returns the reply or the error of each. The first call
    /// carries the text, so that the server knows the script before it runs the others.
    ///
    /// # Errors
    /// As [`Script::run`], when no call was answered.
    pub async fn run_all(
        &self,
        connection: &mut impl ConnectionLike,
        calls: &[Cmd],
    ) -> Result<Vec<Result<Value>>> {
        let Some((first, others)) = calls.split_first() else { return Ok(Vec::new()) };
        let mut trip = pipe();
        trip.add_command(self.with_text(first));
        for call in others {
            trip.add_command(call.clone());
        }
        let replies = trip.ignore_errors().query_async(connection).await;
        let replies: Vec<Value> = replies.map_err(|error| self.failed(error))?;
        let replied = |reply| match reply {
            Value::ServerError(error) => Err(self.failed(error.into())),
            reply => Ok(reply),
        };
        Ok(replies.into_iter().map(replied).collect())
    }

    fn with_text(&self, call: &Cmd) -> Cmd {
        let mut whole = cmd("EVAL");
        whole.arg(&self.text);
        for arg in call.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                whole.arg(bytes);
            }
        }
        whole
    }

    fn failed(&self, error: RedisError) -> Error {
        Error::of_script(error, self.first_write)
    }
}

/// Whether a line of a script calls a command that writes.
fn writes(line: &str) -> bool {
    line.split("redis.call('").skip(1).any(|call| {
        let command = call.split('\'').next().unwrap_or_default();
        !READS.contains(&command)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_write_of_a_script_is_found() {
        let line = |text: &str| Script::new("x", text.to_owned()).first_write;
        assert_eq!(line("local a = redis.call('GET', k)\n\nredis.call('SET', k, a)"), 3);
        assert_eq!(line("redis.call('GET', redis.call('INCR', k))"), 1);
        assert_eq!(line("return redis.call('GET', k)"), 2);
    }
}
