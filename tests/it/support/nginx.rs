//! A private nginx with the configuration of docs/. Like PgBouncer, it ends however this process
//! ends.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::eventually::eventually_holds;
use super::postgres::as_unprivileged;

/// Packages put it where only root looks.
const WATCH: &str = r#"
PATH="$PATH:/usr/sbin"
"$@" nginx -p "$FOLDER" -c "$FOLDER/nginx.conf" \
    -g "daemon off; master_process off; pid $FOLDER/pid; error_log $FOLDER/log;" >/dev/null 2>&1 &
cat >/dev/null
kill -TERM "$!" 2>/dev/null
rm -rf "$FOLDER"
"#;
const KINDS: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/// An nginx on a port of its own.
pub struct Nginx {
    /// Where it listens.
    pub url: String,
    _watch: Child,
}

impl Nginx {
    /// Starts one with docs/nginx-cells.conf, in which these servers are the cells.
    pub async fn before(cells: [&str; 2]) -> Self {
        let folder = tempfile::Builder::new().prefix("firstcome-nginx-").tempdir().unwrap().keep();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let [one, two] = cells.map(|url| url.strip_prefix("http://").unwrap());
        let own = KINDS.map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()));
        let settings = include_str!("../../../docs/nginx-cells.conf")
            .replace("127.0.0.1:8080", one)
            .replace("127.0.0.1:9080", two)
            .replace("listen 8000;", &format!("listen {address};"))
            .replace("http {", &format!("http {{ access_log off; {}", own.join(" ")));
        std::fs::write(folder.join("nginx.conf"), settings).unwrap();
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "watch"]).args(as_unprivileged(&folder));
        watch.env("FOLDER", &folder).current_dir("/").process_group(0);
        watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = watch.spawn().expect("sh");
        let url = format!("http://{address}");
        eventually_holds("nginx (apt-get install nginx-light)", async || {
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self { url, _watch: watch }
    }
}
