//! Help, completions and man pages: a verb shows what is its own.

use std::path::Path;

use crate::support::server::command;

use super::{done, run, run_with};

/// Every verb but those that serve.
const VERBS: [&str; 27] = [
    "",
    "audit",
    "coupon",
    "coupon close",
    "coupon create",
    "coupon delete",
    "coupon list",
    "coupon log",
    "coupon pause",
    "coupon preload",
    "coupon release",
    "coupon restock",
    "coupon resume",
    "coupon show",
    "coupon stats",
    "coupon window",
    "coupon winners",
    "dead-letters",
    "dead-letters drop",
    "dead-letters list",
    "dead-letters replay",
    "dead-letters show",
    "doctor",
    "migrate",
    "ticket",
    "ticket cancel",
    "ticket restore",
];

#[test]
fn the_help_of_a_verb_shows_its_own_options_and_where_the_data_is() {
    let dir = tempfile::tempdir().unwrap();
    for verb in VERBS {
        for help in ["-h", "--help"] {
            let told = done(dir.path(), &format!("{verb} {help}")).out;
            let lines = told.lines().count();
            // The whole program's own help also says what it is.
            let lines_max = if verb.is_empty() && help == "--help" { 50 } else { 33 };
            assert!((10..=lines_max).contains(&lines), "{verb} {help}: {lines} lines: {told}");
            for shown in ["--redis-url", "--database-url", "--data-dir", "firstcome help settings"]
            {
                assert!(told.contains(shown), "{verb} {help} lacks {shown}: {told}");
            }
            assert!(!told.contains("--listen"), "{verb} {help}: {told}");
        }
    }
    for all in ["serve --help", "worker --help", "settings --help", "help settings", "settings"] {
        let told = done(dir.path(), all).out;
        for shown in ["--listen", "--workers", "--redis-url", "FIRSTCOME_LOG"] {
            assert!(told.contains(shown), "{all} lacks {shown}: {told}");
        }
    }
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "help makes nothing");
}

#[test]
fn a_suggestion_is_an_option_of_the_verb_and_hidden_settings_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = run(dir.path(), "coupon list --log-formt json");
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(!wrong.err.contains("'--log-format'"), "no option of this verb: {wrong:?}");
    let wrong = run(dir.path(), "coupon winners summer --formt csv");
    assert!(wrong.err.contains("'--format'"), "{wrong:?}");
    for words in [
        "--redis-topology other coupon list",
        "coupon --redis-topology other list",
        "coupon list --redis-topology other",
        "coupon list --redis-topology=other",
    ] {
        let wrong = run(dir.path(), words);
        assert_eq!(wrong.code, Some(2), "{words}: {wrong:?}");
        assert!(wrong.err.contains("possible values: single, replicated"), "{words}: {wrong:?}");
    }
    let variables = [("FIRSTCOME_REDIS_TOPOLOGY", "other")];
    let wrong = run_with(command(dir.path(), &variables), "coupon list");
    assert!(wrong.err.contains("possible values: single, replicated"), "{wrong:?}");
}

/// What a shell would offer for the last of these words.
fn offered(dir: &Path, words: &str) -> Vec<String> {
    let index = (words.split(' ').count() - 1).to_string();
    let mut shell = command(dir, &[("COMPLETE", "bash"), ("_CLAP_COMPLETE_INDEX", &index)]);
    shell.env("_CLAP_IFS", "\n").arg("--").args(words.split(' '));
    run_with(shell, "").out.lines().map(str::to_owned).collect()
}

#[test]
fn a_shell_completes_verbs_and_a_verbs_own_options() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(offered(dir.path(), "firstcome coupon cr"), ["create"]);
    assert_eq!(offered(dir.path(), "firstcome coupon winners --f"), ["--format"]);
    assert!(offered(dir.path(), "firstcome coupon list --lis").is_empty());
    assert_eq!(offered(dir.path(), "firstcome serve --lis"), ["--listen"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = run_with(command(dir.path(), &[("COMPLETE", shell)]), "");
        assert_eq!(script.code, Some(0), "{script:?}");
        assert!(script.out.contains("firstcome"), "{script:?}");
    }
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[test]
fn man_pages_are_written_into_a_folder_one_for_each_verb() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man");
    done(dir.path(), &format!("man {}", pages.display()));
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("firstcome.1").contains("coupon"));
    assert!(page("firstcome-coupon-create.1").contains("per\\-user\\-limit"));
    assert!(page("firstcome-settings.1").contains("FIRSTCOME_LISTEN"));
}
