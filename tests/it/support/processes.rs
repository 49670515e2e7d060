//! Processes that a test knows by their ids.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, getpgid, kill_process};

/// Sends a signal to a process that the test started.
pub fn signal(id: u32, signal: Signal) {
    kill_process(pid(id), signal).unwrap();
}

/// Sends a signal to all children of a process; some may end at this moment.
pub fn signal_children(parent: u32, signal: Signal) {
    let listed = Command::new("ps").args(["-A", "-o", "ppid=", "-o", "pid="]).output().unwrap();
    for line in String::from_utf8(listed.stdout).unwrap().lines() {
        let mut columns = line.split_whitespace().map(|column| column.parse::<u32>().unwrap());
        if columns.next() == Some(parent) {
            let _ = kill_process(pid(columns.next().unwrap()), signal);
        }
    }
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

/// Waits, when it is dropped, until the private Redis of this folder has ended: its last log line
/// would otherwise outlive the folder.
#[derive(Debug)]
pub struct RedisEnd(PathBuf);

impl RedisEnd {
    /// For the Redis of this folder, if there is one.
    pub fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("redis.lock"))
    }
}

impl Drop for RedisEnd {
    fn drop(&mut self) {
        // Redis and its shell hold the lock, and end within seconds after their parent.
        if let Ok(lock) = File::open(&self.0) {
            let _ = lock.lock();
        }
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}
