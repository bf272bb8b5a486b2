//! From an address and a reference to a commit's files.

use super::{
    GitError,
    reference::Reference,
    session::{ANSWER_BYTES, Session},
    submodules,
    tree::{self, Kind, Listed, MAX_LINK, Tree, TreeError},
    url::GitUrl,
};
use crate::{
    domain::playbook::PlaybookFile,
    playbooks::snapshot::{MAX_FILES, MAX_TOTAL_BYTES},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Submodules of one project, those inside submodules too.
const MAX_SUBMODULES: usize = 50;
/// Submodules inside submodules.
const MAX_NESTING: usize = 5;
/// What `cat-file` writes around a content, at most.
const AROUND_CONTENT: usize = 128;
/// How git says that a host gives out whole branches only.
const NEEDS_MORE: &[&str] = &[
    "not our ref",
    "unadvertised object",
    "shallow",
    "couldn't find remote ref",
];
/// Where a fetched commit is kept.
const KEPT: &str = "refs/admiral/wanted";

/// What of a remote is wanted, as the remote has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The name to fetch; a commit's own id where there is none.
    name: String,
    /// The commit, as far as the remote tells without a fetch.
    pub(super) commit: String,
}

/// A commit, fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) repository: PathBuf,
    pub(super) commit: String,
    /// The first line of its message.
    pub(super) subject: String,
}

/// Asks the remote where a reference stands.
pub(super) async fn look_up(session: &Session, url: &GitUrl, reference: &Reference) -> Result<Found, GitError> {
    let candidates = reference.candidates();
    let patterns: Vec<String> = if candidates.is_empty() {
        vec!["HEAD".to_owned()]
    } else {
        candidates
            .iter()
            .flat_map(|name| [name.clone(), format!("{name}^{{}}")])
            .collect()
    };
    // Also where the commit is known already: that the repository can still be read is worth knowing.
    let answer = session
        .ask_remote(None, url, &["ls-remote", "--quiet"], &patterns)
        .await?;
    if let Reference::Commit(id) = reference {
        return Ok(Found {
            name: id.clone(),
            commit: id.clone(),
        });
    }
    let text = answer.stdout_text();
    let known: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(id, name)| (name, id))
        .collect();
    let name = candidates.into_iter().find(|name| known.contains_key(name.as_str()));
    let name = name.ok_or_else(|| GitError::NoSuchReference {
        reference: reference.to_string(),
        hint: match reference {
            Reference::Default => "it is empty, or its default branch is: name a branch",
            Reference::Name(name) if name.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                "was it deleted or renamed? A commit is named by its whole id, of 40 or 64 digits"
            }
            _ => "was it deleted or renamed?",
        },
    })?;
    let peeled = known.get(format!("{name}^{{}}").as_str());
    let commit = peeled
        .or_else(|| known.get(name.as_str()))
        .copied()
        .unwrap_or_default()
        .to_owned();
    Ok(Found { name, commit })
}

/// Fetches what was found, without its history where the host allows that.
pub(super) async fn fetch(session: &Session, name: &str, url: &GitUrl, found: &Found) -> Result<Fetched, GitError> {
    const FETCH: &[&str] = &[
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--force",
    ];
    let repository = session.init(name, &found.commit).await?;
    let shallow: Vec<&str> = FETCH.iter().copied().chain(["--depth=1"]).collect();
    let wanted = [format!("+{}:{KEPT}", found.name)];
    let is_commit = found.name == found.commit;
    let fetched = session.ask_remote(Some(&repository), url, &shallow, &wanted).await;
    let kept = match fetched {
        Ok(_) => KEPT.to_owned(),
        // Not every host hands out a commit that no name leads to directly; and those without git's own protocol know no depth.
        Err(error) if NEEDS_MORE.iter().any(|words| error.says(words)) => {
            let all = if is_commit {
                vec![
                    "+refs/heads/*:refs/admiral/heads/*".to_owned(),
                    "+refs/tags/*:refs/admiral/tags/*".to_owned(),
                ]
            } else {
                wanted.to_vec()
            };
            session.ask_remote(Some(&repository), url, FETCH, &all).await?;
            if is_commit {
                found.commit.clone()
            } else {
                KEPT.to_owned()
            }
        }
        Err(error) => return Err(error),
    };
    let revision = format!("{kept}^{{commit}}");
    let commit = session
        .ask(
            &repository,
            &["rev-parse", "--verify", "--quiet", "--end-of-options", &revision],
            None,
            ANSWER_BYTES,
        )
        .await;
    let commit = match commit {
        Ok(answer) => answer.stdout_text().trim().to_owned(),
        Err(GitError::Refused { .. }) if is_commit => {
            return Err(GitError::NoSuchReference {
                reference: format!("the commit {}", found.commit),
                hint: "no branch and no tag leads to it",
            });
        }
        Err(GitError::Refused { .. }) => return Err(GitError::NotACommit(found.name.clone())),
        Err(error) => return Err(error),
    };
    let subject = session
        .ask(
            &repository,
            &[
                "log",
                "--max-count=1",
                "--no-show-signature",
                "--encoding=UTF-8",
                "--format=%s",
                &commit,
                "--",
            ],
            None,
            ANSWER_BYTES,
        )
        .await?
        .stdout_text();
    Ok(Fetched {
        repository,
        commit,
        subject: subject.chars().filter(|c| !c.is_control()).take(500).collect(),
    })
}

/// The files of a fetched commit, and with `submodules` those of its submodules.
pub(super) async fn read_files(
    session: &Session,
    url: &GitUrl,
    fetched: &Fetched,
    submodules: bool,
) -> Result<Vec<PlaybookFile>, GitError> {
    let mut reading = Reading {
        session,
        entries: Vec::new(),
        repositories: HashMap::new(),
        count: 0,
    };
    reading
        .list(
            url.clone(),
            fetched.repository.clone(),
            fetched.commit.clone(),
            submodules,
        )
        .await?;
    let mut links = BTreeMap::new();
    for link in reading.entries.iter().filter(|entry| entry.kind == Kind::Link) {
        if link.size > MAX_LINK {
            return Err(TreeError::Leaves(link.path.clone()).into());
        }
        links.insert(link.object.clone(), link.size);
    }
    let targets = reading.read(&links).await?;
    let entries = std::mem::take(&mut reading.entries);
    // Sizes are known before anything is read, and were added up: what is read fits.
    let sorting = tokio::task::spawn_blocking(move || {
        let files = Tree::new(&entries, &targets)?.files()?;
        let sizes: HashMap<&str, u64> = entries
            .iter()
            .map(|entry| (entry.object.as_str(), entry.size))
            .collect();
        let wanted: BTreeMap<String, u64> = files
            .iter()
            .map(|file| {
                let size = sizes.get(file.object.as_str()).copied().unwrap_or(0);
                (file.object.clone(), size)
            })
            .collect();
        Ok::<_, TreeError>((files, wanted))
    });
    let (files, wanted) = sorting.await.map_err(|_| GitError::TimedOut)??;
    let contents = reading.read(&wanted).await?;
    Ok(files
        .into_iter()
        .map(|file| file.with(&contents))
        .collect::<Result<_, _>>()?)
}

/// A commit whose files are still to be listed.
struct Level {
    url: GitUrl,
    repository: PathBuf,
    commit: String,
    /// With a slash at the end unless empty.
    prefix: String,
    nesting: usize,
}

struct Reading<'a> {
    session: &'a Session,
    entries: Vec<Listed>,
    /// Where the objects of the entries are.
    repositories: HashMap<String, PathBuf>,
    count: usize,
}

impl Reading<'_> {
    async fn list(
        &mut self,
        url: GitUrl,
        repository: PathBuf,
        commit: String,
        submodules: bool,
    ) -> Result<(), GitError> {
        let mut waiting = vec![Level {
            url,
            repository,
            commit,
            prefix: String::new(),
            nesting: 0,
        }];
        while let Some(level) = waiting.pop() {
            let listed = self.list_level(&level).await?;
            if submodules && listed.iter().any(|entry| entry.kind == Kind::Submodule) {
                waiting.extend(self.fetch_submodules(&level, &listed).await?);
            }
            for mut entry in listed {
                self.repositories
                    .entry(entry.object.clone())
                    .or_insert_with(|| level.repository.clone());
                entry.path.insert_str(0, &level.prefix);
                if tree::has_place(&entry.path)? {
                    self.entries.push(entry);
                }
            }
            if self.entries.len() > MAX_FILES {
                return Err(TreeError::TooManyFiles.into());
            }
        }
        Ok(())
    }

    async fn list_level(&self, level: &Level) -> Result<Vec<Listed>, GitError> {
        let arguments = [
            "ls-tree",
            "-r",
            "-l",
            "-z",
            "--full-tree",
            "--end-of-options",
            &level.commit,
        ];
        let answer = self
            .session
            .ask(&level.repository, &arguments, None, ANSWER_BYTES)
            .await?;
        Ok(tree::parse_listing(&answer.stdout)?)
    }

    async fn fetch_submodules(&mut self, level: &Level, listed: &[Listed]) -> Result<Vec<Level>, GitError> {
        if level.nesting >= MAX_NESTING {
            return Err(GitError::TooManySubmodules("five submodules inside one another"));
        }
        let urls = submodules::read(self.session, &level.repository, listed).await?;
        let mut found = Vec::new();
        for entry in listed.iter().filter(|entry| entry.kind == Kind::Submodule) {
            let path = format!("{}{}", level.prefix, entry.path);
            self.count += 1;
            if self.count > MAX_SUBMODULES {
                return Err(GitError::TooManySubmodules("fifty submodules"));
            }
            let url = urls
                .get(&entry.path)
                .ok_or_else(|| GitError::UnknownSubmodule(path.clone()))?;
            let url = level.url.resolve(url).map_err(|source| GitError::SubmoduleUrl {
                path: path.clone(),
                source,
            })?;
            let commit = Found {
                name: entry.object.clone(),
                commit: entry.object.clone(),
            };
            let fetched = fetch(self.session, &format!("submodule-{}", self.count), &url, &commit).await;
            let fetched = fetched.map_err(|source| GitError::Submodule {
                path: path.clone(),
                host: url.host().to_owned(),
                source: Box::new(source),
            })?;
            found.push(Level {
                url,
                repository: fetched.repository,
                commit: fetched.commit,
                prefix: format!("{path}/"),
                nesting: level.nesting + 1,
            });
        }
        Ok(found)
    }

    /// The contents of these objects, whose sizes are known.
    async fn read(&self, wanted: &BTreeMap<String, u64>) -> Result<HashMap<String, Vec<u8>>, GitError> {
        let mut by_repository: BTreeMap<&Path, Vec<(&str, u64)>> = BTreeMap::new();
        for (object, size) in wanted {
            let repository = self.repositories.get(object).ok_or(TreeError::NotUnderstood)?;
            by_repository.entry(repository).or_default().push((object, *size));
        }
        let mut contents = HashMap::new();
        for (repository, objects) in by_repository {
            let total: u64 = objects.iter().map(|(_, size)| size).sum();
            if total > MAX_TOTAL_BYTES {
                return Err(TreeError::TooLarge.into());
            }
            let mut input = String::new();
            for (object, _) in &objects {
                let _ = writeln!(input, "{object}");
            }
            let most = total as usize + objects.len() * AROUND_CONTENT;
            let answer = self
                .session
                .ask(repository, &["cat-file", "--batch"], Some(&input), most)
                .await?;
            parse_contents(&answer.stdout, &mut contents)?;
        }
        Ok(contents)
    }
}

/// `OBJECT blob SIZE`, a line break, the content and another line break, for each (git-cat-file(1), "BATCH OUTPUT").
fn parse_contents(mut answer: &[u8], contents: &mut HashMap<String, Vec<u8>>) -> Result<(), TreeError> {
    while !answer.is_empty() {
        let end = answer
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(TreeError::NotUnderstood)?;
        let head = std::str::from_utf8(&answer[..end]).map_err(|_| TreeError::NotUnderstood)?;
        let words: Vec<&str> = head.split(' ').collect();
        let [object, "blob", size] = words[..] else {
            return Err(TreeError::NotUnderstood);
        };
        let size: usize = size.parse().map_err(|_| TreeError::NotUnderstood)?;
        let (content, rest) = answer[end + 1..]
            .split_at_checked(size)
            .ok_or(TreeError::NotUnderstood)?;
        contents.insert(object.to_owned(), content.to_vec());
        answer = rest.strip_prefix(b"\n").ok_or(TreeError::NotUnderstood)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_read_whatever_they_hold() {
        let mut contents = HashMap::new();
        parse_contents(b"aa blob 3\na\nb\nbb blob 0\n\n", &mut contents).unwrap();
        assert_eq!(contents["aa"], b"a\nb");
        assert_eq!(contents["bb"], b"");
        for answer in [
            "aa missing\n",
            "aa blob 3\nab",
            "aa tree 1\nx\n",
            "aa blob x\n\n",
            "aa blob 1\nab\n",
        ] {
            assert_eq!(
                parse_contents(answer.as_bytes(), &mut HashMap::new()),
                Err(TreeError::NotUnderstood),
                "{answer:?}"
            );
        }
    }
}
