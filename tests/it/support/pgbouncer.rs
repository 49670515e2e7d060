//! A private PgBouncer in front of the private PostgreSQL. Like that, it ends however this process
//! ends.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::eventually::eventually_ok;
use super::postgres::as_unprivileged;

/// Packages put it where only root looks.
const WATCH: &str = r#"
PATH="$PATH:/usr/sbin"
"$@" pgbouncer -q "$FOLDER/pgbouncer.ini" >/dev/null 2>"$FOLDER/log" &
cat >/dev/null
kill -TERM "$!" 2>/dev/null
rm -rf "$FOLDER"
"#;

/// Prints the version of the same program.
const VERSION: &str = r#"PATH="$PATH:/usr/sbin"; exec pgbouncer --version"#;

/// The version that the tests run, as `(1, 24)`.
pub fn version() -> (u32, u32) {
    let told = Command::new("sh").args(["-c", VERSION]).output().expect("sh");
    let told = String::from_utf8(told.stdout).unwrap();
    let number = told.strip_prefix("PgBouncer ").and_then(|rest| rest.split_whitespace().next());
    let mut parts = number.expect("a version").split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

/// A pooler in front of one database.
pub struct PgBouncer {
    /// The URL of the database through it.
    pub url: String,
    _watch: Child,
}

impl PgBouncer {
    /// Starts one in this mode before the database of this URL, with so many connections to the
    /// server and without any setting but these lines, and waits until it answers.
    pub async fn start(database_url: &str, pool_mode: &str, pool_size: u32, more: &str) -> Self {
        let (name, server) = database_url
            .strip_prefix("postgres://firstcome@localhost/")
            .and_then(|rest| rest.split_once("?host="))
            .expect("a URL of fresh_database");
        let folder = tempfile::Builder::new().prefix("firstcome-pgbouncer-").tempdir().unwrap();
        let folder = folder.keep();
        let settings = format!(
            "[databases]\n{name} = host={server} user=firstcome\n[pgbouncer]\nauth_type = any\n\
             unix_socket_dir = {folder}\nlisten_port = 6432\npool_mode = {pool_mode}\n\
             default_pool_size = {pool_size}\n{more}",
            folder = folder.display()
        );
        std::fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "watch"]).args(as_unprivileged(&folder));
        watch.env("FOLDER", &folder).current_dir("/").process_group(0);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = watch.spawn().expect("sh");
        let url = format!("postgres://firstcome@localhost:6432/{name}?host={}", folder.display());
        let pooler = Self { url, _watch: watch };
        eventually_ok("connect through PgBouncer (apt-get install pgbouncer)", async || {
            let options = pooler.url.parse::<sqlx::postgres::PgConnectOptions>()?;
            let options = options.extra_float_digits(None);
            let mut connection = PgConnection::connect_with(&options).await?;
            let sql = AssertSqlSafe("SELECT 1".to_owned());
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await
        })
        .await;
        pooler
    }
}
