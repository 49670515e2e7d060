//! Which settings the help of a verb shows: all of them for servers, otherwise the three that say
//! where the data is. The others are still read, from flags and from variables.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The verbs whose help shows every setting.
const SHOW_ALL: [&str; 3] = ["serve", "worker", "settings"];
/// The settings that the help of every verb shows.
const REACH: [&str; 3] = ["redis_url", "database_url", "data_dir"];
const REACH_HEADING: &str = "Settings (`firstcome help settings` shows all)";

/// The command line for these words. Other verbs do not know a setting that only servers need, and
/// so never suggest it, unless the words name it.
pub(super) fn laid_out(command: Command, words: &[OsString]) -> Command {
    let command = command.mut_args(without_empty_variable);
    let settings: Vec<Arg> =
        command.get_arguments().filter(|argument| argument.is_global_set()).cloned().collect();
    let with_all = |verb: Command| match SHOW_ALL.contains(&verb.get_name()) {
        true => verb.args(&settings),
        false => verb,
    };
    command.mut_subcommands(with_all).mut_args(|argument| {
        if !argument.is_global_set() {
            return argument;
        }
        if REACH.contains(&argument.get_id().as_str()) {
            return argument.help_heading(REACH_HEADING);
        }
        let is_named = is_named(&argument, words);
        argument.global(is_named).hide(true)
    })
}

/// An empty variable counts as unset: an environment file often names variables without a value.
fn without_empty_variable(argument: Arg) -> Arg {
    let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
    match argument.get_env().is_some_and(is_empty) {
        true => argument.env(None::<&'static str>),
        false => argument,
    }
}

fn is_named(argument: &Arg, words: &[OsString]) -> bool {
    let Some(long) = argument.get_long() else { return false };
    words.iter().filter_map(|word| word.to_str()?.strip_prefix("--")).any(|word| {
        let rest = word.strip_prefix(long);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}
