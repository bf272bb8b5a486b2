//! The command line: one file per subcommand, rendering, exit codes. The only user of stdout.
//!
//! Data subcommands are clients of the HTTP API. With `--server` they speak to a running server; without, they call the same
//! handlers in this process, on the database that the data directory or `--database-url` names.

pub mod ansible_inventory;
pub mod ansible_options;
pub mod check;
pub mod client;
pub mod completions;
pub mod control_group;
pub mod deploy;
pub mod deployments;
pub mod doctor;
pub mod environments;
pub mod failure;
pub mod galaxy_servers;
pub mod input;
pub mod install;
pub mod installation;
pub mod instance;
pub mod inventory;
pub mod inventory_source;
pub mod keeper;
pub mod key_files;
pub mod keys;
pub mod live;
pub mod logging;
pub mod openapi;
pub mod options;
pub mod output;
pub mod owner;
pub mod password;
pub mod playbooks;
pub mod presets;
pub mod projects;
pub mod recap;
pub mod recorder;
pub mod recordings;
pub mod serve;
pub mod server_import;
pub mod servers;
pub mod service_manager;
pub mod service_settings;
pub mod sessions;
pub mod settings;
pub mod slices;
pub mod sse;
pub mod starting;
pub mod supervise;
pub mod tokens;
pub mod upload;
pub mod users;
pub mod variables;
pub mod vault_passwords;
pub mod version;
pub mod versions;
pub mod views;
pub mod worker_options;
pub mod workers;

use clap::{Parser, Subcommand};
use options::GlobalOptions;
use std::process::ExitCode;

/// An Ansible-compatible orchestrator.
#[derive(Debug, Parser)]
#[command(name = "admiral", version, about, max_term_width = 110, propagate_version = true)]
pub struct Cli {
    /// Apply to every subcommand.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the console and the API, and carry deployments out
    Serve(serve::ServeOptions),
    /// Run a playbook on servers and watch it
    Deploy(Box<deploy::DeployOptions>),
    /// Run ansible-playbook as it is, where you stand, and record it
    ///
    /// All arguments are ansible-playbook's own. Options of Admiral's come before the subcommand, or by the environment.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    AnsiblePlaybook(recorder::Untouched),
    /// Run ansible, one module on a pattern, as it is, where you stand, and record it
    ///
    /// All arguments are ansible's own. Options of Admiral's come before the subcommand, or by the environment.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Adhoc(recorder::Untouched),
    /// List and upload what was recorded here and is not stored yet
    #[command(subcommand)]
    Recordings(recordings::RecordingsCommand),
    /// Answer Ansible as a dynamic inventory
    Inventory(inventory::InventoryArgs),
    /// List, show, cancel and retry deployments
    #[command(subcommand)]
    Deployments(deployments::DeploymentsCommand),
    /// Manage servers
    #[command(subcommand)]
    Servers(servers::ServersCommand),
    /// Manage SSH private keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// List, show, upload and check playbooks
    #[command(subcommand)]
    Playbooks(playbooks::PlaybooksCommand),
    /// Manage the servers that roles and collections are fetched from
    #[command(subcommand)]
    GalaxyServers(galaxy_servers::GalaxyServersCommand),
    /// Manage the passwords of ansible-vault
    #[command(subcommand)]
    VaultPasswords(vault_passwords::VaultPasswordsCommand),
    /// Manage environments: variables that hold wherever one is chosen
    #[command(subcommand)]
    Environments(environments::EnvironmentsCommand),
    /// Manage presets: named variables and options of a playbook
    #[command(subcommand)]
    Presets(presets::PresetsCommand),
    /// Manage git projects: playbooks that come from repositories
    #[command(subcommand)]
    Projects(projects::ProjectsCommand),
    /// Manage users
    #[command(subcommand)]
    Users(users::UsersCommand),
    /// Manage API tokens
    #[command(subcommand)]
    Tokens(tokens::TokensCommand),
    /// List and end sessions, which are the browsers that are signed in
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    /// Change your own password on a server
    Password(password::PasswordOptions),
    /// Show and change what holds for the whole installation
    Settings {
        /// What to do; without it the settings are shown
        #[command(subcommand)]
        command: Option<settings::SettingsCommand>,
    },
    /// List the workers and their runs
    Workers,
    /// Have a worker finish its runs and claim nothing more
    Drain(workers::DrainOptions),
    /// Check what this machine has, and say how to mend what is missing
    Doctor,
    /// Install Admiral as a service with an account of its own (Debian, Ubuntu), or bring it up to date
    Install(install::InstallOptions),
    /// Remove everything that `admiral install` made, except the data
    Uninstall(install::uninstall::UninstallOptions),
    /// Print the version
    Version,
    /// Print shell completions
    #[command(hide = true)]
    Completions(completions::CompletionsOptions),
    /// See one run through to its end
    #[command(hide = true)]
    Supervise(supervise::SuperviseOptions),
    /// Remove key files when the process they were made for is gone
    #[command(hide = true)]
    Keeper(keeper::KeeperArgs),
    /// Let systemd start the service again beside runs that go on
    #[command(hide = true)]
    ReleaseControlGroup,
    /// Print the OpenAPI document
    #[command(hide = true)]
    Openapi,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(recorder::leave_untouched(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, all else is misuse; clap knows which stream each goes to.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match owner::settle(&cli).and_then(|()| run(cli)) {
        Ok(code) => code,
        Err(error) => {
            let error = owner::explain(error);
            output::say(failure::render(&error).trim_end());
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(dispatch(cli));
    // Blocking reads of a terminal cannot be interrupted and must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    result
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { global, command } = cli;
    if !matches!(command, Command::Serve(_) | Command::Supervise(_)) {
        logging::for_commands();
    }
    match command {
        Command::Serve(options) => serve::run(&global, options).await?,
        Command::Doctor => return doctor::run(&global).await,
        Command::Inventory(arguments) => inventory_source::run(&global, arguments).await?,
        Command::AnsiblePlaybook(arguments) => {
            return recorder::run(&global, recorder::Program::Playbook, arguments).await;
        }
        Command::Adhoc(arguments) => return recorder::run(&global, recorder::Program::Adhoc, arguments).await,
        Command::Recordings(command) => return recordings::run(&global, command).await,
        Command::Keeper(arguments) => keeper::run(arguments).await?,
        Command::Supervise(options) => supervise::run(options).await?,
        Command::Deploy(options) => return deploy::run(&global, *options).await,
        Command::Deployments(command) => return deployments::run(&global, command).await,
        Command::Servers(command) => servers::run(&global, command).await?,
        Command::Keys(command) => keys::run(&global, command).await?,
        Command::Playbooks(command) => return playbooks::run(&global, command).await,
        Command::GalaxyServers(command) => galaxy_servers::run(&global, command).await?,
        Command::VaultPasswords(command) => vault_passwords::run(&global, command).await?,
        Command::Environments(command) => environments::run(&global, command).await?,
        Command::Presets(command) => presets::run(&global, command).await?,
        Command::Projects(command) => projects::run(&global, command).await?,
        Command::Users(command) => users::run(&global, command).await?,
        Command::Tokens(command) => tokens::run(&global, command).await?,
        Command::Sessions(command) => sessions::run(&global, command).await?,
        Command::Password(options) => password::run(&global, options).await?,
        Command::Settings { command } => settings::run(&global, command).await?,
        Command::Workers => workers::list(&global).await?,
        Command::Drain(options) => workers::drain(&global, options).await?,
        Command::Install(options) => install::run(&global, options).await?,
        Command::Uninstall(options) => install::uninstall::run_uninstall(options).await?,
        Command::ReleaseControlGroup => control_group::run(),
        Command::Version => version::run(global.output)?,
        Command::Completions(options) => completions::run(&options)?,
        Command::Openapi => openapi::run()?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_argument_takes_a_global_options_name() {
        let root = Cli::command();
        let globals: Vec<_> = root
            .get_arguments()
            .filter(|argument| argument.is_global_set())
            .map(clap::Arg::get_id)
            .collect();
        let mut commands: Vec<_> = root.get_subcommands().collect();
        while let Some(command) = commands.pop() {
            for argument in command.get_arguments() {
                assert!(
                    !globals.contains(&argument.get_id()),
                    "{}: {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            commands.extend(command.get_subcommands());
        }
    }

    #[test]
    fn global_options_follow_a_subcommand() {
        let cli = Cli::try_parse_from(["admiral", "servers", "list", "--output", "json", "--tag", "web"]).unwrap();
        assert_eq!(cli.global.output, output::Format::Json);
    }
}
