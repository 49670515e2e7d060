//! One script: called by its SHA, sent whole when the server does not know it.

use ::redis::aio::ConnectionLike;
use ::redis::{Arg, Cmd, Value, cmd};

use super::{Error, Result};

/// A script of `lua/`, embedded in the binary.
pub struct Script {
    text: &'static str,
    sha: String,
}

impl Script {
    /// Computes the SHA.
    pub fn new(text: &'static str) -> Self {
        Self { text, sha: ::redis::Script::new(text).get_hash().to_owned() }
    }

    /// A call with these keys; the caller adds the arguments of the header, in their order.
    pub fn call(&self, keys: &[String]) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(&self.sha).arg(keys.len()).arg(keys);
        call
    }

    /// Sends a call. A server that does not know the script ran nothing of it: the call is sent
    /// once more with the text, which the server keeps. It is not loaded first and called
    /// afterwards, because a SCRIPT FLUSH in between would fail the call.
    ///
    /// # Errors
    /// [`Error::Refused`] or [`Error::Unknown`].
    pub async fn run(&self, connection: &mut impl ConnectionLike, call: &Cmd) -> Result<Value> {
        match call.query_async(connection).await {
            Err(error) if Error::is_missing_script(&error) => {
                let mut whole = cmd("EVAL");
                whole.arg(self.text);
                for arg in call.args_iter().skip(2) {
                    if let Arg::Simple(bytes) = arg {
                        whole.arg(bytes);
                    }
                }
                whole.query_async(connection).await.map_err(Error::of_call)
            }
            replied => replied.map_err(Error::of_call),
        }
    }
}
