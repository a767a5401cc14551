//! The command line.

use std::path::PathBuf;

use clap::{ColorChoice, Parser, ValueEnum};

/// How the run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Live progress and colours.
    Pretty,
    /// One line per event.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Turns two fresh Linux machines into a hardened k3s cluster, by playbooks in Rhai.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  k3srun scripts/bootstrap.rhai -c cluster.toml --plan   show what would change, change nothing
  k3srun scripts/bootstrap.rhai -c cluster.toml          build the cluster; run it again: nothing to do
  k3srun scripts/bootstrap.rhai --only verify            one phase only
  k3srun -e 'print(local().facts.kernel)'                try an expression
  k3srun check scripts/*.rhai                            find mistakes without touching a host

Exit status: 0 success, 1 script error, 2 refused or bad input, 3 a host failed, 4 unreachable, 130 interrupted."
)]
#[allow(clippy::struct_excessive_bools)]
pub struct Args {
    /// The playbook to run; `-` reads it from standard input; `check` looks for mistakes in the files that follow
    #[arg(value_name = "SCRIPT", required_unless_present = "eval")]
    pub script: Option<String>,

    /// What the playbook gets from args()
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,

    /// Evaluate an expression and print its value
    #[arg(short, long, value_name = "EXPR", conflicts_with = "script")]
    pub eval: Option<String>,

    /// The description of the cluster
    #[arg(short, long, value_name = "FILE", env = "K3SRUN_CONFIG")]
    pub config: Option<PathBuf>,

    /// Override a value of the config, e.g. --set k3s.version=v1.34.1+k3s1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,

    /// Show what would change and change nothing
    #[arg(long)]
    pub plan: bool,

    /// Answer every question with yes
    #[arg(short, long)]
    pub yes: bool,

    /// Run only these phases
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    pub only: Vec<String>,

    /// Leave these phases out
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    pub skip: Vec<String>,

    /// Start at this phase
    #[arg(long, value_name = "PHASE")]
    pub from: Option<String>,

    /// Look for imported modules here before the built-in ones
    #[arg(long, value_name = "DIR", env = "K3SRUN_STDLIB")]
    pub stdlib: Option<PathBuf>,

    /// How to show the run; pretty on a terminal, plain elsewhere
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<OutputFormat>,

    /// Show more: -v commands' output, -vv what the conversation with each host costs
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Show only warnings, errors and what the script prints
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// When to use colours; NO_COLOR is honoured
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorChoice,
}
