//! Processes that a test knows by their ids.

use std::process::Command;

use rustix::process::{Pid, Signal, getpgid, kill_process};

/// Sends a signal to a process that the test started.
pub fn signal(id: u32, signal: Signal) {
    kill_process(pid(id), signal).unwrap();
}

/// The process group that a process belongs to.
pub fn group_of(id: u32) -> u32 {
    u32::try_from(getpgid(Some(pid(id))).unwrap().as_raw_pid()).unwrap()
}

/// How many processes of this group live. Zombies do not: in a container nobody may collect them.
pub fn living_in_group(group: u32) -> usize {
    let listed = Command::new("ps").args(["-A", "-o", "pgid=", "-o", "stat="]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lives = |line: &&str| {
        let mut columns = line.split_whitespace();
        let in_group = columns.next().is_some_and(|column| column.parse() == Ok(group));
        in_group && columns.next().is_some_and(|state| !state.starts_with('Z'))
    };
    listed.lines().filter(lives).count()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}
