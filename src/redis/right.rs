//! Rights that Redis does not grant us, named as in its ACL rules.

use ::redis::RedisError;

use super::error::failed_line;
use super::script::Script;
use crate::domain::doubt::Doubt;

/// What we may not do, according to a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Right {
    /// Run this command, `time` or `xgroup|create`.
    Command(String),
    /// Use our own keys.
    Keys,
    /// The server does not have this command, or it was renamed.
    Unknown(String),
    /// It cannot run this command, or the script of this file, for another reason: the second
    /// field.
    Broken(String, String),
}

/// Error codes of a server that cannot write now, but soon may.
const NOT_NOW: [&str; 6] = ["BUSY", "LOADING", "MISCONF", "NOREPLICAS", "OOM", "READONLY"];

/// The right that is missing according to the reply to this command; `None` when the server only
/// cannot write now. If the reply to a script does not name the command, it is taken from the line
/// of the script that failed.
pub(crate) fn missing_right(
    error: &RedisError,
    command: &str,
    script: Option<&Script>,
) -> Option<Right> {
    let text = error.detail().unwrap_or_default();
    let says = |words: &str| text.contains(words);
    if says("permissions to access") || says("can't access at least one of the keys") {
        return Some(Right::Keys);
    }
    let named = text.split_once("run the '").and_then(|(_, rest)| rest.split('\'').next());
    let within = || script?.command_in(failed_line(error)?);
    let command = named.map(str::to_owned).or_else(within).unwrap_or_else(|| command.to_owned());
    if says("no permissions to run") || says("can't run this command") {
        return Some(Right::Command(command));
    }
    let is_unknown = says("unknown command")
        || says("Unknown Redis command")
        || says("command is not allowed from script");
    if is_unknown {
        return Some(Right::Unknown(command));
    }
    if error.code().is_some_and(|code| NOT_NOW.contains(&code)) {
        return None;
    }
    let name = script.map_or(command, |script| format!("{}.lua", script.name()));
    Some(Right::Broken(name, error.to_string()))
}

/// The doubt about missing rights: no ticket is issued before they are granted.
pub(crate) fn doubt(missing: &[Right], user: &str, prefix: &str) -> Doubt {
    if let Some(Right::Broken(name, error)) = missing.first() {
        return Doubt::CannotRun { name: name.clone(), error: error.clone() };
    }
    let unknown = missing.iter().find_map(|right| match right {
        Right::Unknown(command) => Some(command.to_uppercase()),
        _ => None,
    });
    if let Some(command) = unknown {
        return Doubt::LacksCommand(command);
    }
    let user = user.to_owned();
    if missing.contains(&Right::Keys) {
        return Doubt::KeysDenied { user, prefix: prefix.to_owned() };
    }
    let commands = missing.iter().filter_map(|right| match right {
        Right::Command(command) => Some(command.clone()),
        _ => None,
    });
    Doubt::CommandsDenied { user, commands: commands.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_found_in_the_words_of_old_and_new_servers() {
        let text = "local a = 1\nlocal t = redis.call('XGROUP', 'CREATE', a)\n";
        let script = Script::new("x", text.to_owned());
        let within = "script: 0a1b, on @user_script:2.";
        let create = Some(Right::Command("xgroup|create".to_owned()));
        for (code, text, expected) in [
            ("NOPERM", "this user has no permissions to run the 'time' command", "time"),
            (
                "NOPERM",
                "User m3 has no permissions to run the 'xinfo|groups' command",
                "xinfo|groups",
            ),
            (
                "NOPERM",
                "ACL failure in script: User m3 has no permissions to run the 'time' command",
                "time",
            ),
        ] {
            let error = ::redis::make_extension_error(code.to_owned(), Some(text.to_owned()));
            let found = missing_right(&error, "eval", Some(&script));
            assert_eq!(found, Some(Right::Command(expected.to_owned())), "{text}");
        }
        for (code, text) in [
            ("NOPERM", "No permissions to access a key"),
            ("NOPERM", "this user has no permissions to access one of the keys used as arguments"),
            ("ERR", "The user executing the script can't access at least one of the keys"),
        ] {
            let error = ::redis::make_extension_error(code.to_owned(), Some(text.to_owned()));
            assert_eq!(missing_right(&error, "get", None), Some(Right::Keys), "{text}");
        }
        let old = format!("The user executing the script can't run this command {within}");
        let error = ::redis::make_extension_error("ERR".to_owned(), Some(old));
        assert_eq!(missing_right(&error, "eval", Some(&script)), create);
        let other = ::redis::make_extension_error("OOM".to_owned(), Some("no memory".to_owned()));
        assert_eq!(missing_right(&other, "eval", Some(&script)), None);
    }
}
