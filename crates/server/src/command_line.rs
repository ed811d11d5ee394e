//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

/// SIP for the Web: proxy, registrar, edge and the phone page in one binary.
#[derive(Debug, Parser)]
#[command(name = "sipweb", version, max_term_width = 100, after_help = "First steps: sipweb serve --demo")]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Serve),
    /// Say what is wrong with a configuration file.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print a configuration file that explains every key.
    ConfigExample,
    /// Add, list and remove users and set their passwords.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Explain SIP messages: what each header says, what is wrong and where.
    Parse {
        /// Files with one message each; - is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Write one JSON object a message.
        #[arg(long)]
        json: bool,
    },
}

/// How to run the server.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what to serve").required(true).args(["config", "demo"])))]
pub(crate) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A server for trying out: reachable from this machine only, with users alice and bob.
    #[arg(long)]
    pub(crate) demo: bool,
    #[command(flatten)]
    pub(crate) demo_options: DemoOptions,
}

/// What can be changed about the demo.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of --demo")]
pub(crate) struct DemoOptions {
    /// Port of the phone page and WebSockets; 0 is any free port.
    #[arg(long, value_name = "PORT", default_value_t = 8080, conflicts_with = "config")]
    pub(crate) http_port: u16,
    /// Port of the phone page and WebSockets, encrypted.
    #[arg(long, value_name = "PORT", default_value_t = 8443, conflicts_with = "config")]
    pub(crate) https_port: u16,
    /// Port of SIP over UDP and TCP.
    #[arg(long, value_name = "PORT", default_value_t = 5060, conflicts_with = "config")]
    pub(crate) sip_port: u16,
    /// Port of SIP over TLS.
    #[arg(long, value_name = "PORT", default_value_t = 5061, conflicts_with = "config")]
    pub(crate) sips_port: u16,
    /// Keep users, passwords and registrations in this folder over restarts.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub(crate) data: Option<PathBuf>,
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user. The password is asked for, or read from standard input; without one it is made up and
    /// printed once.
    Add(NamedUser),
    /// List the users.
    List(Place),
    /// Give a user another password, as with add.
    Passwd(NamedUser),
    /// Remove a user.
    Remove(NamedUser),
}

/// A user, and where the users are.
#[derive(Debug, Args)]
pub(crate) struct NamedUser {
    /// The name: the part before @ in sip:alice@example.com.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where the users are.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("where the users are").required(true).args(["config", "data"])))]
pub(crate) struct Place {
    /// The configuration file of the server.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory of the server.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The realm, if it is not that of the configuration.
    #[arg(long)]
    pub(crate) realm: Option<String>,
}
