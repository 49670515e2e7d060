//! A real server process: the binary itself, on free ports, with its data in its own folder. It
//! ends when the test ends, however that ends.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use reqwest::{Method, RequestBuilder, StatusCode};
use rustix::process::Signal;
use serde_json::Value;

use super::eventually::eventually;
use super::operate;
use super::processes::{self, RedisEnd};

/// The admin token of every server of the tests.
pub const TOKEN: &str = "a-token-for-tests-only-0123456789abcdef";
/// The code keys of every server of the tests.
pub const CODE_KEYS: &str = "k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A running server.
pub struct Server {
    child: Child,
    data_dir: PathBuf,
    /// Kept, so that the server's standard output stays open.
    output: BufReader<ChildStdout>,
    client: reqwest::Client,
    /// `http://127.0.0.1:<port>` for users.
    pub public: String,
    /// `http://127.0.0.1:<port>` for admins.
    pub admin: String,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The stable code of a problem; empty for anything else.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    /// Starts `firstcome serve` with its own data directory and these variables, and waits until it
    /// listens. Nothing of the test's own environment is passed on.
    pub async fn start(data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_now(data_dir, variables)
    }

    /// As [`Server::start`], for code that is not async.
    pub fn start_now(data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = command(data_dir, variables);
        command.arg("serve");
        Self::start_from(command)
    }

    /// As [`Server::start`], by a command of the test's own.
    pub fn start_from(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.by_ref().lines();
        let mut address = |name: &str| {
            let found = lines.by_ref().map_while(Result::ok).find_map(|line| {
                let rest = line.trim().strip_prefix(name)?.trim().to_owned();
                rest.starts_with("http").then_some(rest)
            });
            found.unwrap_or_else(|| panic!("the server ended before it told where {name} may ask"))
        };
        let (public, admin) = (address("users"), address("admins"));
        let data_dir = command.get_envs().find(|(name, _)| *name == "FIRSTCOME_DATA_DIR");
        let data_dir = data_dir.and_then(|(_, value)| value).map(PathBuf::from).unwrap();
        let client = reqwest::Client::new();
        Self { child, data_dir, output, client, public, admin }
    }

    /// Its next standard output, up to and including the line that ends like this.
    pub fn says(&mut self, ending: &str) -> Vec<String> {
        let mut said: Vec<String> = Vec::new();
        while said.last().is_none_or(|line| !line.ends_with(ending)) {
            said.push(self.output.by_ref().lines().next().expect("it goes on").unwrap());
        }
        said
    }

    /// Waits until it is ready to issue.
    pub async fn ready(self) -> Self {
        eventually("readiness", async || {
            (self.get("/readyz").await.status == StatusCode::OK).then_some(())
        })
        .await;
        self
    }

    /// A request to the public listener.
    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.public))
    }

    /// A request to the admin listener, with the token.
    pub fn ask_as_admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.admin)).bearer_auth(TOKEN)
    }

    /// `GET` on the public listener. docs/operate.md must explain the sentences of `/readyz`.
    pub async fn get(&self, path: &str) -> Answer {
        let answer = send(self.ask(Method::GET, path)).await.unwrap();
        if path == "/readyz" {
            operate::explains(&answer.json());
        }
        answer
    }

    /// `GET` on the admin listener.
    pub async fn get_as_admin(&self, path: &str) -> Answer {
        send(self.ask_as_admin(Method::GET, path)).await.unwrap()
    }

    /// `POST` without a body on the admin listener.
    pub async fn post_as_admin(&self, path: &str) -> Answer {
        send(self.ask_as_admin(Method::POST, path)).await.unwrap()
    }

    /// A request with a JSON body to the admin listener.
    pub async fn send_as_admin(&self, method: Method, path: &str, body: &Value) -> Answer {
        send(self.ask_as_admin(method, path).json(body)).await.unwrap()
    }

    /// Adds stock or takes it away.
    pub async fn restock(&self, coupon: &str, delta: i64, key: &str) -> Answer {
        let path = format!("/admin/coupons/{coupon}/restock");
        let request = self.ask_as_admin(Method::POST, &path).header("Idempotency-Key", key);
        send(request.json(&serde_json::json!({ "delta": delta }))).await.unwrap()
    }

    /// One user asks for one ticket.
    pub async fn issue(&self, coupon: &str, user: &str) -> Answer {
        self.try_issue(coupon, user).await.unwrap()
    }

    /// As [`Server::issue`], if the server may have ended.
    pub async fn try_issue(&self, coupon: &str, user: &str) -> reqwest::Result<Answer> {
        send(self.ask_to_issue(coupon, user)).await
    }

    /// The question of [`Server::issue`], which the test sends by itself.
    pub fn ask_to_issue(&self, coupon: &str, user: &str) -> RequestBuilder {
        let path = format!("/coupons/{coupon}/issue");
        self.ask(Method::GET, &path).header("X-User-Id", user)
    }

    /// Creates a coupon and preloads it.
    pub async fn prepare(&self, coupon: &str, total: u64) {
        let definition = serde_json::json!({ "id": coupon, "name": coupon, "total": total });
        self.prepare_as(&definition).await;
    }

    /// Creates a coupon with this definition and preloads it.
    pub async fn prepare_as(&self, definition: &Value) {
        let create = self.ask_as_admin(Method::POST, "/admin/coupons").json(definition);
        let created = send(create).await.unwrap();
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        let id = definition["id"].as_str().unwrap();
        let preloaded = self.post_as_admin(&format!("/admin/coupons/{id}/preload")).await;
        assert_eq!(preloaded.status, StatusCode::OK, "{}", preloaded.body);
    }

    /// The coupon's stats.
    pub async fn stats(&self, coupon: &str) -> Value {
        self.get_as_admin(&format!("/admin/coupons/{coupon}/stats")).await.json()
    }

    /// The value of a metric, all its lines with these labels added up; 0 when there is none.
    pub async fn metric(&self, name_and_labels: &str) -> f64 {
        let text = self.get_as_admin("/metrics").await.body;
        let values = text.lines().filter_map(|line| line.strip_prefix(name_and_labels));
        values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Threads that it has right now.
    #[cfg(target_os = "linux")]
    pub fn threads(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Threads:"));
        line.unwrap().trim().parse().unwrap()
    }

    /// Files and sockets that it has open right now.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Those of its open files that have no name any more.
    pub fn nameless_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        // Some are closed at this moment.
        let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).count()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; does not wait.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        processes::signal(self.child.id(), signal);
    }

    /// Waits for the end and says how it was.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually("the server's end", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            // Another server may live in its folder by now.
            return;
        }
        // It may end at this moment.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(RedisEnd::of(&self.data_dir));
    }
}

/// Sends a request and reads the answer to its end.
pub async fn send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let text = |value: &reqwest::header::HeaderValue| {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    };
    let headers =
        response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Ok(Answer { status, headers, body: response.text().await? })
}

/// The binary with a clean environment and free ports.
pub fn command(data_dir: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstcome"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("FIRSTCOME_DATA_DIR", data_dir);
    command.env("FIRSTCOME_LISTEN", "127.0.0.1:0").env("FIRSTCOME_ADMIN_LISTEN", "127.0.0.1:0");
    command.env("FIRSTCOME_ADMIN_TOKEN", TOKEN).env("FIRSTCOME_CODE_KEYS", CODE_KEYS);
    // A recovery would end what most tests look at; those of recoveries say `auto`.
    command.env("FIRSTCOME_RECOVERY", "ask");
    command.env("FIRSTCOME_LOG", "warn").envs(variables.iter().copied());
    command.stdin(Stdio::null());
    command
}
