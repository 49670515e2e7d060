//! Secrets in files, as container engines provide them: a variable names the file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

/// Far longer than any secret.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// For each setting that is a secret, a file that may contain it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Secrets in files")]
pub struct SecretFiles {
    /// A file with REDIS_URL
    #[arg(long, env = "REDIS_URL_FILE", global = true)]
    pub redis_url_file: Option<PathBuf>,

    /// A file with DATABASE_URL
    #[arg(long, env = "DATABASE_URL_FILE", global = true)]
    pub database_url_file: Option<PathBuf>,

    /// A file with DATABASE_MIGRATE_URL
    #[arg(long, env = "DATABASE_MIGRATE_URL_FILE", global = true)]
    pub database_migrate_url_file: Option<PathBuf>,

    /// A file with FIRSTCOME_ADMIN_TOKEN
    #[arg(long, env = "FIRSTCOME_ADMIN_TOKEN_FILE", global = true)]
    pub admin_token_file: Option<PathBuf>,

    /// A file with FIRSTCOME_CODE_KEYS
    #[arg(long, env = "FIRSTCOME_CODE_KEYS_FILE", global = true)]
    pub code_keys_file: Option<PathBuf>,
}

/// Reads a secret from its file, if one is named, without white space around it.
///
/// # Errors
/// A sentence: the secret is given twice, or its file cannot be read, is empty or longer than 64
/// KiB. It never quotes the file.
pub(super) fn take(
    name: &str,
    secret: &mut Option<String>,
    file: Option<&PathBuf>,
) -> Result<(), String> {
    let Some(path) = file else { return Ok(()) };
    if secret.is_some() {
        return Err(format!("set {name} or {name}_FILE, not both"));
    }
    let text = read(path).map_err(|fault| format!("{name}_FILE: {fault}"))?;
    *secret = Some(text);
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut text = String::new();
    let mut file = File::open(path).map_err(|fault| format!("cannot open {shown}: {fault}"))?;
    let read = file.by_ref().take(FILE_MAX_BYTES).read_to_string(&mut text);
    read.map_err(|fault| format!("cannot read {shown}: {fault}"))?;
    let is_longer = file.read(&mut [0]).map_or(true, |bytes| bytes > 0);
    let secret = text.trim();
    if is_longer || secret.is_empty() {
        return Err(format!("{shown} has no secret: it is empty, or longer than 64 KiB"));
    }
    Ok(secret.to_owned())
}
