//! A private PostgreSQL: one server per test process, one fresh database per test; and a separate
//! server for a test that disturbs its server.
//!
//! The server is made and watched by a small shell that holds the reading end of a pipe. The
//! writing end belongs to this process alone, so however it ends, the shell reads the end of the
//! file, stops the server and removes its folder.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::certificates::Certificates;
use super::eventually::eventually_ok;
use super::processes;

const MISSING: &str = "PostgreSQL's server programs (initdb, postgres) were not found; install \
     them: apt-get install postgresql, or: brew install postgresql";
/// The server refuses to run as root, so root runs it as this user, which its package creates.
const UNPRIVILEGED: &str = "postgres";

/// `"$@"` is empty, or a command that runs another one as another user. SIGQUIT stops a server at
/// once, but not one that has only just started, so it is sent in a loop. A server that was started
/// again is another process; its file has the id.
const WATCH: &str = r#"
if "$@" "$PROGRAMS/initdb" --no-sync --auth-local=trust --auth-host=scram-sha-256 \
    --username=firstcome --encoding=UTF8 --locale=C "$FOLDER/data" >"$FOLDER/log" 2>&1
then
    "$@" "$PROGRAMS/postgres" -D "$FOLDER/data" -k "$FOLDER" -c listen_addresses= \
        -c max_connections=300 -c dynamic_shared_memory_type=mmap $MORE >>"$FOLDER/log" 2>&1 &
fi
cat >/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -QUIT "$!" 2>/dev/null || kill -QUIT "$(head -n 1 "$FOLDER/data/postmaster.pid")" || break
    sleep 0.2
done
rm -rf "$FOLDER"
"#;

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct Server {
    folder: PathBuf,
    port: u16,
    /// Holds the writing end, which the system closes when this process ends.
    _watch: Child,
}

/// A server of a test's own.
pub struct OwnPostgres(Server);

/// The password of the role, which only connections by TCP need.
pub const PASSWORD: &str = "right";

impl OwnPostgres {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let server = Server::start();
        server.connect().await.close().await.expect("close the connection");
        Self(server)
    }

    /// As [`OwnPostgres::start`], one that also listens on loopback, with TLS for whoever asks.
    pub async fn start_with_tls() -> (Self, Certificates) {
        let folder = folder();
        let certificates = Certificates::make(&folder);
        let key = &certificates.key;
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        let _ = as_unprivileged(key);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let more = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file={} \
             -c ssl_key_file={}",
            certificates.certificate.display(),
            key.display()
        );
        let server = Server::start_in(folder, port, &more);
        let mut connection = server.connect().await;
        let sql = AssertSqlSafe(format!("ALTER ROLE firstcome PASSWORD '{PASSWORD}'"));
        sqlx::query(sql).execute(&mut connection).await.expect("a password");
        connection.close().await.expect("close the connection");
        (Self(server), certificates)
    }

    /// The URL of its database by TCP, for a server that listens there.
    pub fn url_by_tcp(&self, password: &str) -> String {
        format!("postgres://firstcome:{password}@localhost:{}/postgres", self.0.port)
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://firstcome@localhost/postgres?host={}", self.0.folder.display())
    }

    /// Suspends all of its processes: the system accepts connections, and nothing answers.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Resumes the suspended processes.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts it again as a standby without a primary: it answers, and refuses writes.
    pub fn restart_as_standby(&self) {
        std::fs::write(self.0.folder.join("data/standby.signal"), "").expect("write the signal");
        self.control("restart", "fast");
    }

    /// Ends it at once, as a crash would, and starts it again on its data.
    pub fn crash_and_restart(&self) {
        self.control("restart", "immediate");
    }

    /// Makes it the primary again, without a restart.
    pub fn promote(&self) {
        self.control("promote", "fast");
    }

    fn control(&self, verb: &str, mode: &str) {
        let program = programs().expect(MISSING).join("pg_ctl").into_os_string();
        let mut words = as_unprivileged(&self.0.folder);
        words.push(program);
        let mut control = Command::new(&words[0]);
        control.args(&words[1..]).arg(verb).args(["-w", "-m", mode]).current_dir("/");
        control.arg("-D").arg(self.0.folder.join("data"));
        control.arg("-l").arg(self.0.folder.join("data/log")).stdout(Stdio::null());
        assert!(control.status().expect("pg_ctl").success(), "{verb}");
    }

    fn signal(&self, signal: Signal) {
        let file = self.0.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // Without a file it has ended.
        if let Some(first) = text.lines().next().and_then(|id| id.parse::<u32>().ok()) {
            processes::signal(first, signal);
            processes::signal_children(first, signal);
        }
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // A suspended process does not react to a signal to end.
        self.go_on();
    }
}

/// The URL of a fresh, empty database.
pub async fn fresh_database() -> String {
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let server = as_owner(&[format!("CREATE DATABASE {name}")]).await;
    format!("postgres://firstcome@localhost/{name}?host={}", server.folder.display())
}

/// The URL of a fresh, empty database in this encoding.
pub async fn fresh_database_in(encoding: &str) -> String {
    let url = fresh_database().await;
    let name = format!("{}_{}", name_of(&url), encoding.to_lowercase());
    as_owner(&[format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' \
         LC_CTYPE 'C'"
    )])
    .await;
    url.replace(&format!("/{}?", name_of(&url)), &format!("/{name}?"))
}

/// The socket that the server of this URL listens at, and the name of the database.
pub fn socket_of(url: &str) -> (PathBuf, String) {
    let folder = url.split_once("?host=").expect("a socket's folder").1;
    (Path::new(folder).join(".s.PGSQL.5432"), name_of(url).to_owned())
}

/// Cuts every connection to the database of this URL and lets nobody in: an outage.
pub async fn close_to_all(url: &str) {
    let name = name_of(url);
    as_owner(&[
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ])
    .await;
}

/// Ends the outage.
pub async fn open_to_all(url: &str) {
    as_owner(&[format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", name_of(url))]).await;
}

/// Copies a database that nobody is connected to; `put_back` replaces it by this copy.
pub async fn copy(url: &str) {
    as_owner(&[format!("CREATE DATABASE {0}_copy TEMPLATE {0}", name_of(url))]).await;
}

/// Replaces a database by its copy, whoever is connected.
pub async fn put_back(url: &str) {
    let name = name_of(url);
    let rename = format!("ALTER DATABASE {name}_copy RENAME TO {name}");
    as_owner(&[format!("DROP DATABASE {name} WITH (FORCE)"), rename]).await;
}

fn name_of(url: &str) -> &str {
    url.split(['/', '?']).nth(3).expect("a URL of fresh_database")
}

/// Runs statements outside of the tests' databases.
async fn as_owner(statements: &[String]) -> &'static Server {
    let server = SERVER.get_or_init(Server::start);
    let mut connection = server.connect().await;
    for sql in statements {
        let sql = AssertSqlSafe(sql.clone());
        sqlx::query(sql).execute(&mut connection).await.expect("a statement of the owner");
    }
    connection.close().await.expect("close the connection");
    server
}

impl Server {
    fn start() -> Self {
        Self::start_in(folder(), 5432, "")
    }

    fn start_in(folder: PathBuf, port: u16, more: &str) -> Self {
        let programs = programs().expect(MISSING);
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "watch"]).args(as_unprivileged(&folder));
        watch.env("FOLDER", &folder).env("PROGRAMS", programs).env("MORE", more);
        watch.current_dir("/");
        // In a group of its own: an interrupt at the keyboard must not stop it before its work.
        watch.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = watch.spawn().expect("sh");
        Self { folder, port, _watch: watch }
    }

    /// Connects as soon as it answers.
    async fn connect(&self) -> PgConnection {
        eventually_ok("connect to the private PostgreSQL", async || {
            let options = PgConnectOptions::new_without_pgpass().socket(&self.folder);
            let options = options.port(self.port).username("firstcome").database("postgres");
            PgConnection::connect_with(&options).await.map_err(|error| self.explain(error))
        })
        .await
    }

    /// A failure to connect, with what the server said last.
    fn explain(&self, error: sqlx::Error) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let last = log.lines().rev().take(5).collect::<Vec<_>>();
        format!("{error}; the server's last words, newest first: {last:?}")
    }
}

fn folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("firstcome-postgres-").tempdir();
    folder.expect("a folder under the system's temporary one").keep()
}

/// What root puts before a command to run it as the unprivileged user, who is given the folder.
pub(super) fn as_unprivileged(folder: &Path) -> Vec<OsString> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let id = |flag| -> Option<u32> {
        let out = Command::new("id").args([flag, UNPRIVILEGED]).output().ok()?;
        String::from_utf8(out.stdout).ok()?.trim().parse().ok()
    };
    let (user, group) = id("-u").zip(id("-g")).expect(MISSING);
    chown(folder, Some(user), Some(group)).expect("give the folder away");
    let ids = [format!("--reuid={user}"), format!("--regid={group}")];
    let words = ["setpriv".into(), "--clear-groups".into()].into_iter().chain(ids);
    words.map(OsString::from).collect()
}

/// The folder of the server's programs: where pg_config says, in PATH, or where packages put it.
fn programs() -> Option<PathBuf> {
    let config = Command::new("pg_config").arg("--bindir").output().ok();
    let told = config.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut packages = Vec::new();
    let homes = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];
    for entry in homes.iter().filter_map(|home| std::fs::read_dir(home).ok()).flatten().flatten() {
        packages.push(entry.path().join("bin"));
    }
    packages.sort();
    told.into_iter()
        .chain(std::env::split_paths(&path))
        .chain(packages.into_iter().rev())
        .find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
}
