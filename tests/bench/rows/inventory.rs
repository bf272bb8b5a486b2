//! `inventory`: `admiral inventory --list` as a whole process, against `psql` printing the same rows as JSON.
//!
//! With 50 distinct keys and 74 groups. `--with-keys` is what Ansible gets: keys opened and written for it as well; psql does
//! nothing of that kind, and is beside it all the same.

use crate::{
    context::{Context, say},
    installation::{Installation, Server},
    report::Line,
    statistics::{Ratio, median, seconds, thousands},
};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};
use uuid::Uuid;

const TARGET: f64 = 2.0;
const KEYS: usize = 50;
/// 34 tags and 6 distros.
const TAGS: i32 = 34;
const DISTROS: i32 = 6;
/// The query that the store asks, as JSON.
const ROWS: &str = "SELECT row_to_json(r) FROM ( \
     SELECT s.*, k.id AS key_id, k.name AS key_name, k.fingerprint AS key_fingerprint, h.host_keys \
       FROM admiral.servers s \
       LEFT JOIN admiral.server_private_keys sk ON sk.server_id = s.id AND sk.is_primary \
       LEFT JOIN admiral.private_keys k ON k.id = sk.private_key_id \
       CROSS JOIN LATERAL ( \
            SELECT coalesce(json_agg(json_build_object('id', hk.id, 'key_type', hk.key_type, 'fingerprint', hk.fingerprint, \
                                                       'first_seen_at', hk.first_seen_at) ORDER BY hk.key_type), '[]') AS host_keys \
              FROM admiral.host_keys hk WHERE hk.server_id = s.id) h \
      ORDER BY s.hostname) r";

pub async fn measure(context: &Context) -> anyhow::Result<Vec<Line>> {
    let installation = Installation::make(&context.ansible_bin).await?;
    let server = installation.serve().await?;
    let mut keys = Vec::new();
    for number in 1..=context.size(KEYS, 5) {
        keys.push(server.generate_key(&format!("key-{number}")).await?.0.parse()?);
    }
    let mut lines = Vec::new();
    let sizes = if context.quick {
        vec![100, 200]
    } else {
        vec![100, 1000, 10_000]
    };
    for (index, &servers) in sizes.iter().enumerate() {
        say(format!("inventory: {servers} servers"));
        add_servers(&installation, servers, &keys).await?;
        let is_largest = index == sizes.len() - 1;
        lines.extend(measure_size(context, &installation, &server, servers, is_largest)?);
    }
    drop(server);
    installation.close().await?;
    Ok(lines)
}

/// Adds servers until there are `count`, with two or three tags, a distro and four variables each.
async fn add_servers(installation: &Installation, count: i32, keys: &[Uuid]) -> anyhow::Result<()> {
    sqlx::query(
        "WITH added AS (INSERT INTO admiral.servers (id, hostname, name, ssh_host, ssh_port, ssh_username, tags, distro, \
                 architecture, metadata) \
             SELECT gen_random_uuid(), format('web-%s.eu-west.example.org', to_char(n, 'FM00000')), format('Web %s', n), \
                 format('10.%s.%s.%s', n / 62500, n / 250 % 250, n % 250 + 1), 22, 'deploy', \
                 jsonb_build_array(format('tag%s', n % $2), format('tag%s', n / 7 % $2)), \
                 format('Distro %s', n % $3), 'x86_64', \
                 jsonb_build_object('region', format('eu-west-%s', n % 3), 'rack', n % 40, 'contact', 'ops@example.org', \
                     'ansible_python_interpreter', '/usr/bin/python3') \
             FROM generate_series((SELECT count(*) FROM admiral.servers) + 1, $1) AS n RETURNING id, number) \
         INSERT INTO admiral.server_private_keys (server_id, private_key_id) \
         SELECT id, ($4::uuid[])[number % cardinality($4::uuid[]) + 1] FROM added",
    )
    .bind(i64::from(count))
    .bind(TAGS)
    .bind(DISTROS)
    .bind(keys)
    .execute(&installation.pool)
    .await?;
    sqlx::query("ANALYZE admiral.servers, admiral.server_private_keys, admiral.private_keys, admiral.host_keys")
        .execute(&installation.pool)
        .await?;
    Ok(())
}

fn measure_size(
    context: &Context,
    installation: &Installation,
    server: &Server,
    servers: i32,
    is_largest: bool,
) -> anyhow::Result<Vec<Line>> {
    let folder = installation.folder.path();
    let (theirs, ours) = (folder.join("psql.json"), folder.join("inventory.json"));
    let (mut psql, mut plain, mut with_keys) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms the caches.
    for round in 0..=context.rounds(15) {
        let mut command = installation.psql_command();
        let took = [
            time(command.args(["-A", "-t", "-c", ROWS]), &theirs)?,
            time(installation.command().args(["inventory", "--list"]), &ours)?,
            // The keys live as long as the process that asked: this shell.
            time(&mut in_shell(installation), &ours)?,
        ];
        if round > 0 {
            psql.push(took[0]);
            plain.push(took[1]);
            with_keys.push(took[2]);
        }
    }
    check(&ours, &theirs, servers as usize)?;
    // An answer from the server's own database, not from one that the command had to start.
    ensure!(server.pid() > 0, "the server is there");
    let count = thousands(f64::from(servers));
    let line = |what: &str, taken: &[f64]| {
        let ratio = Ratio::of(taken, &psql);
        let line = Line::new(what, seconds(median(taken)))
            .ratio(&ratio)
            .samples("seconds", taken);
        if is_largest {
            line.target(format!("≤ {TARGET}×"), ratio.median() <= TARGET)
        } else {
            line
        }
    };
    Ok(vec![
        Line::new(
            format!("{count} servers: psql, the same rows as JSON"),
            seconds(median(&psql)),
        )
        .samples("seconds", &psql),
        line("  admiral inventory --list", &plain),
        line("  … --with-keys, as Ansible gets it", &with_keys),
    ])
}

/// `exec` is kept away: the shell must outlive the command it asks.
fn in_shell(installation: &Installation) -> Command {
    let admiral = installation.command();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "\"$0\" inventory --list --with-keys || exit 1; :"])
        .arg(admiral.get_program());
    for (name, value) in admiral.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

fn time(command: &mut Command, output: &Path) -> anyhow::Result<f64> {
    command.stdin(Stdio::null()).stdout(File::create(output)?);
    let began = Instant::now();
    let status = command.status()?;
    let took = began.elapsed().as_secs_f64();
    ensure!(
        status.success(),
        "{} ended with {status}",
        command.get_program().display()
    );
    Ok(took)
}

/// Both printed all servers, and ours a key file for each.
fn check(ours: &Path, theirs: &Path, servers: usize) -> anyhow::Result<()> {
    let inventory: Value = serde_json::from_reader(std::io::BufReader::new(File::open(ours)?))?;
    let variables = inventory["_meta"]["hostvars"]
        .as_object()
        .context("the inventory has host variables")?;
    ensure!(
        variables.len() == servers,
        "the inventory names {} servers",
        variables.len()
    );
    let keyless = variables
        .values()
        .filter(|of| of["ansible_ssh_private_key_file"].is_null())
        .count();
    ensure!(keyless == 0, "{keyless} servers have no key file");
    let groups = inventory.as_object().map_or(0, serde_json::Map::len);
    // `_meta`, `all`, `ungrouped`. A tag is a group of its own name and one that says it is a tag.
    ensure!(
        groups == (2 * TAGS + DISTROS) as usize + 3,
        "the inventory has {} groups",
        groups - 3
    );
    let rows = std::fs::read_to_string(theirs)?.lines().count();
    ensure!(rows == servers, "psql printed {rows} rows");
    Ok(())
}
