//! `admiral uninstall`: removes everything that `admiral install` made, and nothing else.

use super::{
    Paths,
    carry_out::{remove_if_there, run, systemctl},
    machine::LOST_AND_FOUND,
    manifest::{Before, Manifest},
};
use crate::{
    cli::{
        failure::{Hinted, UsageError},
        input,
        options::is_root,
        output,
        service_settings::SETTINGS_FILE,
    },
    process::Account,
};
use anyhow::Context as _;
use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

/// Options of `admiral uninstall`.
#[derive(Debug, Clone, clap::Args)]
pub struct UninstallOptions {
    /// Remove the data for good as well; DIR has to be the service's data directory, typed in full
    #[arg(long, value_name = "DIR")]
    purge: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Removes everything that was installed.
pub async fn run_uninstall(options: UninstallOptions) -> anyhow::Result<()> {
    let paths = Paths::default();
    let Some(manifest) = Manifest::read(&paths.manifest)? else {
        return Err(Hinted::new(
            format!(
                "{} is not there, so `admiral install` made nothing that could be taken away",
                paths.manifest.display()
            ),
            "an installation that was set up by hand has to be removed by hand",
        )
        .into());
    };
    let removal = Removal::of(&manifest, options.purge.as_deref())?;
    show(&removal)?;
    if options.dry_run {
        return Ok(());
    }
    if !is_root() {
        let hint = "type `sudo` in front of it; --dry-run shows what it would do";
        return Err(Hinted::new("only root can uninstall a service", hint).into());
    }
    refuse_while_runs_go_on(&manifest)?;
    if !options.yes && !input::confirm("do this?")? {
        output::say("nothing was done");
        return Ok(());
    }
    // The answer may have taken its time.
    refuse_while_runs_go_on(&manifest)?;
    removal.carry_out(manifest, &paths).await
}

/// Everything that is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Removal {
    service: bool,
    files: Vec<PathBuf>,
    trees: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    data: Option<PathBuf>,
    account: Option<String>,
    notes: Vec<String>,
}

impl Removal {
    fn of(manifest: &Manifest, purge: Option<&Path>) -> anyhow::Result<Self> {
        let data = &manifest.data_directory;
        if let Some(named) = purge {
            if named != data {
                return Err(UsageError(format!(
                    "--purge {} is not the data directory: that is {}",
                    named.display(),
                    data.display()
                ))
                .into());
            }
            if manifest.data_directory_was == Before::InUse {
                return Err(Hinted::new(
                    format!(
                        "{} was there before Admiral was installed, so it is not removed",
                        data.display()
                    ),
                    format!(
                        "leave --purge out; `rm -r {}` removes it, when that is what you want",
                        data.display()
                    ),
                )
                .into());
            }
        }
        let keeps_data = purge.is_none() && data.exists();
        let mut notes = Vec::new();
        if keeps_data {
            notes.push(format!(
                "the data in {0} stay: `admiral uninstall --purge {0}` removes them as well, the key ring included",
                data.display()
            ));
        }
        let is_kept = |path: &Path| keeps_data && path == Path::new(SETTINGS_FILE);
        if manifest.files.iter().any(|path| is_kept(path)) {
            notes.push(format!(
                "the settings in {SETTINGS_FILE} stay, because they say which database the data belong to"
            ));
        }
        // Another account might be given the same user id later on, and with it the data.
        let keeps_account = manifest.made_account && keeps_data;
        if keeps_account {
            notes.push(format!(
                "the account {} stays, because the data belong to it",
                manifest.account
            ));
        }
        if !manifest.packages.is_empty() {
            let names: Vec<&str> = manifest.packages.iter().map(String::as_str).collect();
            notes.push(format!(
                "the packages that were installed stay, because others may use them by now: `apt-get remove {}` removes them",
                names.join(" ")
            ));
        }
        Ok(Self {
            service: manifest
                .files
                .iter()
                .any(|path| path.extension().is_some_and(|kind| kind == "service")),
            files: manifest.files.iter().filter(|path| !is_kept(path)).cloned().collect(),
            trees: manifest.trees.iter().cloned().collect(),
            folders: manifest.folders.iter().cloned().collect(),
            data: purge.map(Path::to_owned),
            account: (manifest.made_account && !keeps_data).then(|| manifest.account.clone()),
            notes,
        })
    }

    async fn carry_out(self, mut manifest: Manifest, paths: &Paths) -> anyhow::Result<()> {
        if self.service && paths.unit.exists() {
            said("stopping the service")?;
            systemctl(&["disable", "--now", "--quiet", "admiral.service"]).await?;
        }
        if self.files.contains(&paths.apparmor) && paths.apparmor.exists() {
            run("apparmor_parser", ["--remove".as_ref(), paths.apparmor.as_os_str()])
                .await
                .ok();
        }
        // The program goes last: when something fails, it is needed for another try.
        let (program, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
            self.files.iter().partition(|path| **path == paths.binary);
        for path in others {
            remove_file(path, &mut manifest)?;
        }
        if self.service {
            systemctl(&["daemon-reload"]).await?;
            systemctl(&["reset-failed", "admiral.service"]).await.ok();
        }
        for path in &self.trees {
            said(&format!("removing {} with all that is in it", path.display()))?;
            remove_tree(path)?;
            manifest.trees.remove(path);
        }
        if let Some(data) = &self.data {
            said(&format!("removing what is in {}", data.display()))?;
            remove_data(data, manifest.data_directory_was)?;
        }
        if let Some(name) = &self.account {
            said(&format!("removing the account {name}"))?;
            remove_account(name).await?;
            manifest.made_account = false;
        }
        if self.data.is_some() {
            manifest.data_directory_was = Before::InUse;
        }
        for path in program {
            remove_file(path, &mut manifest)?;
        }
        self.finish(manifest, paths)
    }

    /// The manifest goes when nothing of what it names is left; otherwise a later call needs it.
    fn finish(self, mut manifest: Manifest, paths: &Paths) -> anyhow::Result<()> {
        let is_over =
            !manifest.made_account && manifest.data_directory_was == Before::InUse && manifest.files.is_empty();
        if is_over {
            remove_if_there(&paths.manifest)?;
        }
        // The innermost first.
        for folder in self.folders.iter().rev() {
            match fs::remove_dir(folder) {
                Ok(()) => {
                    said(&format!("removing {}", folder.display()))?;
                    manifest.folders.remove(folder);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    manifest.folders.remove(folder);
                }
                Err(_) => output::line(&format!("  {} stays, because it is not empty", folder.display()))?,
            }
        }
        if !is_over {
            manifest.write(&paths.manifest)?;
        }
        output::line("")?;
        output::line("Admiral is uninstalled.")?;
        Ok(())
    }
}

fn show(removal: &Removal) -> anyhow::Result<()> {
    output::line("This is to be done:")?;
    if removal.service {
        output::line("  - stop the service, and no longer start it with the machine")?;
    }
    for path in removal.files.iter().chain(&removal.trees) {
        output::line(&format!("  - remove {}", path.display()))?;
    }
    for path in &removal.folders {
        output::line(&format!(
            "  - remove the folder {}, if it is empty by then",
            path.display()
        ))?;
    }
    if let Some(data) = &removal.data {
        output::line(&format!(
            "  - remove {} with the database and the key ring: nothing brings back what they hold",
            data.display()
        ))?;
    }
    if let Some(account) = &removal.account {
        output::line(&format!("  - remove the account {account}"))?;
    }
    for note in &removal.notes {
        output::line(&format!("note: {note}"))?;
    }
    Ok(())
}

fn said(what: &str) -> io::Result<()> {
    output::line(&format!("  {what}"))
}

/// Runs outlive the service, and nobody would store their results.
fn refuse_while_runs_go_on(manifest: &Manifest) -> anyhow::Result<()> {
    let Some(account) = Account::by_name(&manifest.account)? else {
        return Ok(());
    };
    let is_run = |process: &procfs::process::Process| {
        process.uid().is_ok_and(|user| user == account.user)
            && process
                .cmdline()
                .is_ok_and(|words| words.get(1).is_some_and(|word| word == "supervise"))
    };
    let runs = procfs::process::all_processes()?.flatten().filter(is_run).count();
    if runs == 0 {
        return Ok(());
    }
    let (what, pronoun) = if runs == 1 {
        ("1 run goes on".to_owned(), "it")
    } else {
        (format!("{runs} runs go on"), "them")
    };
    Err(Hinted::new(
        format!("{what}, so Admiral cannot be uninstalled now"),
        format!(
            "`admiral drain` waits for {pronoun} and lets no other begin; `admiral deployments cancel NUMBER` ends one"
        ),
    )
    .into())
}

fn remove_file(path: &Path, manifest: &mut Manifest) -> anyhow::Result<()> {
    said(&format!("removing {}", path.display()))?;
    remove_if_there(path).with_context(|| format!("failed to remove {}", path.display()))?;
    manifest.files.remove(path);
    Ok(())
}

fn remove_tree(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| format!("failed to remove {}", path.display())),
    }
}

/// A folder that was empty becomes empty again, and root's.
fn remove_data(path: &Path, was: Before) -> anyhow::Result<()> {
    if was == Before::Missing {
        return remove_tree(path);
    }
    let empty = || -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_name() == LOST_AND_FOUND {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        chown(path, Some(0), Some(0))
    };
    empty().with_context(|| format!("failed to empty {}", path.display()))
}

async fn remove_account(name: &str) -> anyhow::Result<()> {
    let Some(account) = Account::by_name(name)? else {
        return Ok(());
    };
    run("userdel", [name]).await?;
    remove_opened_keys(Path::new("/dev/shm"), account.user);
    Ok(())
}

/// Removes the opened keys that a killed process left behind: another account might be given the same user id later on.
fn remove_opened_keys(place: &Path, user: u32) {
    let plain = format!("admiral-{user}");
    let is_named = |name: &str| {
        name.strip_prefix(&plain)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_named)
            && entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
        if is_ours && let Err(error) = fs::remove_dir_all(entry.path()) {
            output::say(&format!(
                "warning: failed to remove {}: {error}",
                entry.path().display()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(data: &Path) -> Manifest {
        let mut manifest = Manifest::new("admiral", data);
        manifest.made_account = true;
        manifest.data_directory_was = Before::Missing;
        manifest.files.insert("/etc/systemd/system/admiral.service".into());
        manifest.files.insert(SETTINGS_FILE.into());
        manifest.packages.insert("git".to_owned());
        manifest
    }

    #[test]
    fn opened_keys_go_with_their_account() {
        let place = tempfile::tempdir().unwrap();
        let user = place.path().metadata().unwrap().uid();
        let other = user.wrapping_add(1);
        let make = |name: String| {
            let folder = place.path().join(name);
            fs::create_dir_all(folder.join("inv-1")).unwrap();
            folder
        };
        let ours = [make(format!("admiral-{user}")), make(format!("admiral-{user}.1a2b3c"))];
        let others = [make(format!("admiral-{user}0")), make(format!("admiral-{other}"))];
        let elsewhere = make("elsewhere".to_owned());
        let link = place.path().join(format!("admiral-{user}.link"));
        std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        remove_opened_keys(place.path(), user);
        assert!(ours.iter().all(|folder| !folder.exists()));
        assert!(others.iter().all(|folder| folder.exists()) && elsewhere.join("inv-1").exists());
        // They are named as that account's, and belong to this one.
        remove_opened_keys(place.path(), other);
        assert!(others[1].exists());
    }

    #[test]
    fn the_data_stay_with_their_account_unless_the_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let kept = Removal::of(&manifest(data), None).unwrap();
        assert_eq!((kept.data, kept.account), (None, None));
        assert!(!kept.files.contains(&PathBuf::from(SETTINGS_FILE)), "{:?}", kept.files);
        assert!(
            kept.notes.iter().any(|note| note.contains("--purge")),
            "{:?}",
            kept.notes
        );
        let purged = Removal::of(&manifest(data), Some(data)).unwrap();
        assert_eq!(
            (purged.data.as_deref(), purged.account.as_deref()),
            (Some(data), Some("admiral"))
        );
        assert!(purged.files.contains(&PathBuf::from(SETTINGS_FILE)));
        let refused = Removal::of(&manifest(data), Some(Path::new("/var/lib"))).unwrap_err();
        assert!(refused.to_string().contains("is not the data directory"), "{refused}");
        let gone = Removal::of(&manifest(&data.join("gone")), None).unwrap();
        assert_eq!(gone.account.as_deref(), Some("admiral"));
    }

    #[test]
    fn what_was_there_before_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut found = manifest(folder.path());
        found.data_directory_was = Before::InUse;
        found.made_account = false;
        let refused = Removal::of(&found, Some(folder.path())).unwrap_err();
        assert!(refused.to_string().contains("was there before"), "{refused}");
        let kept = Removal::of(&found, None).unwrap();
        assert_eq!(kept.account, None);
    }
}
