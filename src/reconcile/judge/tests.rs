//! Every judgement, by its facts.

use super::*;

fn facts(run_id: &str, replid: &str) -> Facts {
    Facts {
        version: "Redis 7.0.15".to_owned(),
        major_version: 7,
        mode: "standalone".to_owned(),
        run_id: run_id.to_owned(),
        replid: replid.to_owned(),
        replid2: "0".repeat(40),
        waits_for_replicas: false,
        is_master: true,
        is_loading: false,
        connected_replicas: 0,
        uptime_s: 10,
        durability: Durability::Always,
        is_rewriting: false,
        has_whole_file: true,
        durability_is_read: true,
        last_write_ok: true,
        last_snapshot_ok: true,
        memory_percent: 0,
        eviction_policy: "noeviction".to_owned(),
        skips_fsync_on_rewrite: Some(false),
    }
}

fn last() -> Generation {
    Generation {
        generation_no: 3,
        epoch: 1,
        run_id: "run".to_owned(),
        replid: "repl".to_owned(),
        durability: Durability::Always,
        reason: "first".to_owned(),
        accepted_heartbeat: 50,
        heartbeat: 100,
        seen_at: UnixMs(1_000_000),
        refused_run_id: None,
    }
}

fn evidence() -> Evidence {
    Evidence {
        topology: Topology::Single,
        was_preloaded: true,
        has_coupon: true,
        heartbeat: 100,
        serials_reach: true,
        is_silent: false,
        prefix: Prefix::Open,
        is_older: false,
        kept_unread: None,
        now: UnixMs(1_060_000),
        started_at: UnixMs(1_050_000),
    }
}

fn unread() -> Doubt {
    Doubt::CountUnread { file: "heartbeat".to_owned(), error: "cannot read".to_owned() }
}

fn is_doubtful(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Doubtful(_))
}

fn is_refused(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Refused(_))
}

#[test]
fn the_same_process_with_the_same_data_goes_on() {
    assert_eq!(judge(&facts("run", "repl"), Some(&last()), &evidence()), Judgement::Same);
}

#[test]
fn the_same_process_without_its_data_is_doubtful_unless_there_was_nothing_to_lose() {
    let flushed = Evidence { heartbeat: 99, has_coupon: false, ..evidence() };
    assert!(is_doubtful(&judge(&facts("run", "repl"), Some(&last()), &flushed)));
    let unused = Evidence { was_preloaded: false, ..flushed.clone() };
    let judgement = judge(&facts("run", "repl"), Some(&last()), &unused);
    assert_eq!(judgement, Judgement::Next(EMPTY));
}

#[test]
fn a_restart_on_its_own_complete_data_goes_on() {
    let judgement = judge(&facts("new", "new"), Some(&last()), &evidence());
    assert_eq!(judgement, Judgement::Next("restart"));
}

#[test]
fn a_first_replica_is_benign_only_while_the_last_proof_is_recent() {
    let attached = facts("run", "new");
    let judgement = judge(&attached, Some(&last()), &evidence());
    assert_eq!(judgement, Judgement::Next("replica_attached"));
    let late = Evidence { now: UnixMs(1_000_000 + 30 * 60 * 1_000), ..evidence() };
    assert!(is_doubtful(&judge(&attached, Some(&last()), &late)));
    let promoted = Facts { replid2: "other".to_owned(), ..attached };
    assert!(is_refused(&judge(&promoted, Some(&last()), &evidence())));
}

#[test]
fn a_first_replica_excuses_no_data_that_were_lost_i3_i5() {
    for evidence in [
        Evidence { heartbeat: 99, ..evidence() },
        Evidence { serials_reach: false, ..evidence() },
        Evidence { kept_unread: Some(unread()), ..evidence() },
    ] {
        let judgement = judge(&facts("run", "new"), Some(&last()), &evidence);
        assert!(is_doubtful(&judgement), "{evidence:?}");
    }
}

#[test]
fn a_life_that_another_server_accepted_is_refused_if_it_lacks_what_this_one_told_i3_i5() {
    let lacking = Evidence { serials_reach: false, ..evidence() };
    let judgement = judge(&facts("run", "repl"), Some(&last()), &lacking);
    assert_eq!(judgement, Judgement::Refused(Doubt::LacksTickets));
}

#[test]
fn a_process_that_ran_before_the_other_one_was_counted_last_is_another_server_i3_i5() {
    let started = |at| Evidence { started_at: UnixMs(at), ..evidence() };
    let restarted = facts("new", "new");
    let judged = |evidence| judge(&restarted, Some(&last()), &evidence);
    assert!(is_doubtful(&judged(started(997_999))));
    assert_eq!(judged(started(998_000)), Judgement::Next("restart"), "clocks differ");
    // A machine without a battery-backed clock may start its own Redis in the past.
    let own = Evidence { topology: Topology::Private, ..started(0) };
    assert_eq!(judged(own), Judgement::Next("restart"));
}

#[test]
fn what_was_refused_once_or_lost_what_this_process_counted_is_not_accepted_later_i3_i5() {
    for (run_id, replid) in [("run", "repl"), ("run", "new"), ("new", "new")] {
        let refused = Generation { refused_run_id: Some(run_id.to_owned()), ..last() };
        let facts = facts(run_id, replid);
        assert!(is_doubtful(&judge(&facts, Some(&refused), &evidence())), "{run_id} {replid}");
        let older = Evidence { is_older: true, ..evidence() };
        assert!(is_refused(&judge(&facts, Some(&last()), &older)), "{run_id} {replid}");
        let nothing = Evidence { was_preloaded: false, has_coupon: false, ..older };
        let judgement = judge(&facts, Some(&refused), &nothing);
        assert!(matches!(judgement, Judgement::Same | Judgement::Next(EMPTY)), "{judgement:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_makes_a_new_life_doubtful_and_not_the_one_that_goes_on_i3() {
    let unread = Evidence { kept_unread: Some(unread()), ..evidence() };
    assert_eq!(judge(&facts("run", "repl"), Some(&last()), &unread), Judgement::Same);
    assert!(is_doubtful(&judge(&facts("new", "new"), Some(&last()), &unread)));
    let nothing = Evidence { was_preloaded: false, has_coupon: false, ..unread };
    let judgement = judge(&facts("new", "new"), Some(&last()), &nothing);
    assert_eq!(judgement, Judgement::Next(EMPTY));
}

#[test]
fn a_restart_that_may_have_forgotten_a_ticket_is_doubtful() {
    let restarted = facts("new", "new");
    let doubtful = [
        Evidence { topology: Topology::Replicated, ..evidence() },
        Evidence { heartbeat: 99, ..evidence() },
        Evidence { serials_reach: false, ..evidence() },
    ];
    for evidence in doubtful {
        assert!(is_doubtful(&judge(&restarted, Some(&last()), &evidence)), "{evidence:?}");
    }
    let everysec = Facts { durability: Durability::Everysec, ..restarted.clone() };
    assert!(is_doubtful(&judge(&everysec, Some(&last()), &evidence())));
    let before = Generation { durability: Durability::Everysec, ..last() };
    assert!(is_doubtful(&judge(&restarted, Some(&before), &evidence())));
    let promoted = Facts { replid2: "other".to_owned(), ..restarted.clone() };
    assert!(is_refused(&judge(&promoted, Some(&last()), &evidence())));
    let not_on_disk = Facts { is_rewriting: true, has_whole_file: false, ..restarted };
    assert!(is_doubtful(&judge(&not_on_disk, Some(&last()), &evidence())));
}

#[test]
fn a_level_rises_when_the_rewrite_that_makes_it_true_has_ended_and_falls_at_once() {
    let rewriting = Facts { is_rewriting: true, ..facts("run", "repl") };
    let before = |durability| Generation { durability, ..last() };
    let none = before(Durability::None);
    assert_eq!(judge(&rewriting, Some(&none), &evidence()), Judgement::Same);
    let ended = judge(&facts("run", "repl"), Some(&none), &evidence());
    assert_eq!(ended, Judgement::Next("durability_changed"));
    // Rewriting a file that is complete changes nothing.
    assert_eq!(judge(&rewriting, Some(&last()), &evidence()), Judgement::Same);
    let restarted = Facts { is_rewriting: true, ..facts("new", "new") };
    assert_eq!(judge(&restarted, Some(&last()), &evidence()), Judgement::Next("restart"));
    let weaker = Facts { durability: Durability::Everysec, ..rewriting };
    let judgement = judge(&weaker, Some(&last()), &evidence());
    assert_eq!(judgement, Judgement::Next("durability_changed"));
}

#[test]
fn without_a_generation_only_an_empty_redis_is_trusted() {
    let empty = Evidence { was_preloaded: false, has_coupon: false, ..evidence() };
    assert_eq!(judge(&facts("run", "repl"), None, &empty), Judgement::Next("first"));
    for evidence in
        [Evidence { has_coupon: true, ..empty.clone() }, Evidence { was_preloaded: true, ..empty }]
    {
        assert!(is_doubtful(&judge(&facts("run", "repl"), None, &evidence)));
    }
}

#[test]
fn a_server_before_7_0_is_unfit() {
    let of = |version: &str, major_version| Facts {
        version: version.to_owned(),
        major_version,
        ..facts("run", "repl")
    };
    assert_eq!(of("Valkey 8.1.0", 7).unfit(false), None);
    let told = of("Redis 6.2.14", 6).unfit(false);
    assert_eq!(
        told.map(|doubt| doubt.to_string()).as_deref(),
        Some("Redis 6.2.14 is too old: 7.0 or later is needed")
    );
}

/// One setting that differs from those of a careful server.
type Change = fn(&mut Facts);

#[test]
fn what_stops_tickets_is_a_fault_and_what_a_crash_could_lose_is_an_unsafe_setting_i3() {
    let told = |change: Change| -> [Vec<String>; 3] {
        let mut facts = facts("run", "repl");
        change(&mut facts);
        [facts.faults(), facts.unsafe_settings(), facts.strains()]
    };
    let begins = |sentences: &[String], beginning: &str| {
        sentences.len() == 1 && sentences[0].starts_with(beginning)
    };
    assert_eq!(told(|_| ()), <[Vec<String>; 3]>::default());
    let [faults, settings, strains] = told(|facts| facts.last_write_ok = false);
    assert!(begins(&faults, "Redis cannot write its append-only file"), "{faults:?}");
    assert!(settings.is_empty() && strains.is_empty());
    let cases: [(Change, &str); 3] = [
        (|facts| facts.durability = Durability::None, "appendonly is off"),
        (|facts| facts.skips_fsync_on_rewrite = Some(true), "no-appendfsync-on-rewrite yes"),
        (|facts| facts.eviction_policy = "volatile-lru".to_owned(), "maxmemory-policy is volatile"),
    ];
    for (change, beginning) in cases {
        let [faults, settings, strains] = told(change);
        assert!(begins(&settings, beginning), "{settings:?}");
        assert!(faults.is_empty() && strains.is_empty(), "{beginning}");
    }
    let fine: [Change; 2] = [
        |facts| facts.durability = Durability::Everysec,
        // CONFIG is refused, and nobody knows.
        |facts| facts.skips_fsync_on_rewrite = None,
    ];
    for change in fine {
        assert_eq!(told(change), <[Vec<String>; 3]>::default());
    }
    let [_, _, strains] =
        told(|facts| (facts.memory_percent, facts.last_snapshot_ok) = (90, false));
    assert_eq!(strains.len(), 2, "{strains:?}");
    assert!(told(|facts| facts.memory_percent = 89)[2].is_empty());
}

#[test]
fn a_replica_of_the_accepted_redis_is_judged_when_nobody_counts_and_has_said_what_it_told() {
    let replica = Facts { replid2: "repl".to_owned(), ..facts("new", "other") };
    for topology in [Topology::Single, Topology::Replicated] {
        let evidence = Evidence { topology, heartbeat: 98, ..evidence() };
        let judged = judge(&replica, Some(&last()), &evidence);
        assert_eq!(judged, Judgement::Doubtful(Doubt::Judging), "somebody still counts");
        let silent = Evidence { is_silent: true, ..evidence.clone() };
        assert_eq!(judge(&replica, Some(&last()), &silent), Judgement::Fence);
        let refused = Generation { refused_run_id: Some("new".to_owned()), ..last() };
        let judged = judge(&replica, Some(&refused), &silent);
        assert_eq!(judged, Judgement::Doubtful(Doubt::RefusedBefore));

        let fence = Generation {
            run_id: "new".to_owned(),
            replid: "other".to_owned(),
            reason: JUDGING.to_owned(),
            ..last()
        };
        // Redis forgets soon whose data it had.
        let replica = Facts { replid2: "0".repeat(40), ..replica.clone() };
        let judged =
            |prefix| judge(&replica, Some(&fence), &Evidence { prefix, ..evidence.clone() });
        assert_eq!(judged(Prefix::Open), Judgement::Doubtful(Doubt::Judging));
        assert_eq!(judged(Prefix::Whole), Judgement::Next(PREFIX));
        let lacking = match topology {
            Topology::Replicated => Judgement::Doubtful(Doubt::LacksPrefix),
            _ => Judgement::Refused(Doubt::Snapshot),
        };
        assert_eq!(judged(Prefix::Lacking), lacking);
        // The one before comes back: it is not the one that is judged.
        assert!(is_doubtful(&judge(&facts("run", "repl"), Some(&fence), &evidence)));
    }
}
