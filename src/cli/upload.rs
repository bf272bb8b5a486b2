//! `admiral playbooks upload`.

use super::{
    client::{Client, Refused, with_query},
    failure::{Hinted, UsageError},
    output::{self, Format, Table},
};
use crate::{
    domain::package::is_package_name,
    playbooks::{
        Snapshot,
        archive::{self, MAX_UPLOAD_BYTES},
    },
};
use anyhow::Context as _;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What to upload, and as what.
#[derive(Debug, clap::Args)]
pub struct UploadOptions {
    /// A playbook (.yml, .yaml), an archive (.zip, .tar.gz, .tgz, .tar), or a folder, which is packed without .git and the like
    path: PathBuf,
    /// What to call the package [default: as the file or the folder is called]
    #[arg(long)]
    name: Option<String>,
    /// A file that is to be a playbook of the library (repeatable); needed when there are several
    #[arg(long = "entry", value_name = "FILE")]
    entries: Vec<String>,
    /// Take all playbooks that there are
    #[arg(long, conflicts_with = "entries")]
    all_entries: bool,
    /// What is new about it
    #[arg(long, default_value = "", hide_default_value = true)]
    comment: String,
    /// Make a new version of the package if there is one already
    #[arg(long)]
    update: bool,
}

/// What is uploaded.
#[derive(Debug, Default)]
pub struct UploadFile {
    /// What it is called.
    name: String,
    content: Vec<u8>,
}

impl UploadOptions {
    /// Reads the file, or packs the folder.
    pub fn read(&self) -> anyhow::Result<UploadFile> {
        let path = &self.path;
        let failed = || format!("failed to read {}", path.display());
        let canonical = path.canonicalize().with_context(failed)?;
        let name = canonical
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| UsageError(format!("{} has no name that could be a package's", path.display())))?;
        if canonical.is_dir() {
            let snapshot = Snapshot::of_folder(&canonical).with_context(failed)?;
            let packed =
                archive::pack(&snapshot.files).with_context(|| format!("failed to pack {}", path.display()))?;
            return Ok(UploadFile {
                name: format!("{name}.tar.gz"),
                content: checked(path, packed)?,
            });
        }
        if canonical.metadata().with_context(failed)?.len() > MAX_UPLOAD_BYTES as u64 {
            return Err(too_large(path));
        }
        // As it was given: a link may have another name than what it leads to.
        let given = path.file_name().and_then(|name| name.to_str()).unwrap_or(name);
        Ok(UploadFile {
            name: given.to_owned(),
            content: checked(path, fs::read(&canonical).with_context(failed)?)?,
        })
    }
}

fn checked(path: &Path, file: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if file.len() > MAX_UPLOAD_BYTES {
        return Err(too_large(path));
    }
    Ok(file)
}

fn too_large(path: &Path) -> anyhow::Error {
    Hinted::new(
        format!("{} is larger than 64 MiB", path.display()),
        "a package is for playbooks, roles and small files; have tasks fetch large ones from where they are kept",
    )
    .into()
}

/// Uploads, and says what was found and what to do next.
pub async fn run(client: &Client, format: Format, options: &UploadOptions, file: UploadFile) -> anyhow::Result<()> {
    let file_name = file.name.as_str();
    let name = options.name.clone().unwrap_or_else(|| archive::suggest_name(file_name));
    if !is_package_name(&name) {
        let hint = "take letters, digits, \".\", \"_\" and \"-\", at most 100, beginning with a letter or a digit";
        return Err(Hinted::new(format!("a package cannot be called {name:?}"), hint).into());
    }
    let entries = if options.all_entries {
        let path = with_query("/api/packages/inspect", &[("file_name", file_name)]);
        let inspection = client.upload(&path, file.content.clone()).await?;
        texts(&inspection["entry_points"], "/path")
    } else {
        options.entries.clone()
    };
    let base = if options.update {
        current(client, &name).await?
    } else {
        None
    };
    let mut query = vec![
        ("file_name", file_name),
        ("name", name.as_str()),
        ("comment", options.comment.as_str()),
    ];
    query.extend(entries.iter().map(|entry| ("entry", entry.as_str())));
    query.extend(base.as_ref().map(|(id, _)| ("base_version_id", id.as_str())));
    let answer = client
        .upload(&with_query("/api/packages", &query), file.content)
        .await
        .map_err(|error| advise(error, &name))?;
    if format == Format::Json {
        return output::json(&answer);
    }
    show(&answer, base.is_some_and(|(id, _)| answer["version"]["id"] == id))
}

/// Id and number of the current version of a custom package.
async fn current(client: &Client, name: &str) -> anyhow::Result<Option<(String, i64)>> {
    let packages = client.get("/api/packages").await?;
    let found = packages["data"].as_array().and_then(|packages| {
        packages
            .iter()
            .find(|package| package["origin"] == "custom" && package["name"] == name)
    });
    let version = found.map(|package| &package["current_version"]);
    Ok(version.and_then(|version| Some((version["id"].as_str()?.to_owned(), version["number"].as_i64()?))))
}

/// Says what to do about a refusal.
fn advise(error: anyhow::Error, name: &str) -> anyhow::Error {
    let hint = match error.downcast_ref::<Refused>() {
        Some(Refused(problem)) if problem.code == "package_exists" => {
            "--update makes a new version of it; --name gives this one another name"
        }
        Some(Refused(problem)) if problem.code == "version_conflict" => {
            "somebody else uploaded or saved it at the same time: look at their version, then try again"
        }
        Some(Refused(problem)) if problem.errors.iter().any(|error| error.field == "entry") => {
            "--entry FILE takes one of them (repeatable), --all-entries takes them all"
        }
        _ => return error,
    };
    Hinted::new(format!("{name} was not uploaded"), hint)
        .caused_by(error)
        .into()
}

fn show(answer: &Value, is_old: bool) -> anyhow::Result<()> {
    let name = output::cell(answer.pointer("/package/name"));
    let number = output::cell(answer.pointer("/version/number"));
    output::say(&if is_old {
        format!("nothing has changed: {name} has these files already, in version {number}")
    } else {
        format!("uploaded {name}, version {number}")
    });
    let findings = answer["findings"].as_array().map_or(&[][..], Vec::as_slice);
    if !findings.is_empty() {
        let table = Table::new(&["SEVERITY", "FILE", "LINE", "RULE", "FINDING"])
            .rows_of(findings, &["/severity", "/path", "/line", "/rule", "/message"]);
        output::say(&format!("\n{}\n", table.render()));
        output::say(
            "nothing of this keeps it from being launched, but whoever launches it first is asked to accept it",
        );
    }
    let ids: Vec<String> = texts(&answer["package"]["entry_points"], "")
        .iter()
        .map(|path| format!("custom/{name}/{path}"))
        .collect();
    for id in &ids {
        output::line(&output::printable(id))?;
    }
    if let Some(id) = ids.first() {
        output::say(&format!(
            "launch it with `admiral deploy {} --all`",
            output::printable(id)
        ));
    }
    Ok(())
}

fn texts(list: &Value, pointer: &str) -> Vec<String> {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    items
        .iter()
        .filter_map(|item| item.pointer(pointer)?.as_str().map(str::to_owned))
        .collect()
}
