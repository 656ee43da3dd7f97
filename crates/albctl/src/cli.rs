//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::assume::Missing;
use crate::output::{Color, Format};

/// Looks before you leap: what Ingress and AlbConfig manifests become on an Application Load Balancer (ALB), what is wrong
/// with them, where requests go, and what a change would do. Offline; only `plan --endpoint` and `plan --live` look at an
/// ALB, and none changes one.
///
/// Exit codes: 0 done; 1 lint found errors, or the work failed; 2 wrong usage, or a file that can't be read.
#[derive(Debug, Parser)]
#[command(name = "albctl", version, max_term_width = 120)]
pub struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the gateway that files become.
    #[command(after_help = TRANSLATE_HELP)]
    Translate(Translate),
    /// Say what is wrong with files.
    #[command(after_help = LINT_HELP)]
    Lint(Lint),
    /// Say who answers a request.
    #[command(after_help = ROUTE_HELP)]
    Route(Route),
    /// Say who answers a request, and why no other rule does.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
    /// Show what a change would do to an ALB: the difference and the API calls.
    #[command(after_help = PLAN_HELP)]
    Plan(Plan),
}

const TRANSLATE_HELP: &str = "\
Example:
  albctl translate -f examples/manifests
  kubectl get ingress,svc,ingressclass,albconfig -A -o yaml | albctl translate -f - -o json

Findings go to standard error; see albctl lint.";

const LINT_HELP: &str = "\
Example:
  albctl lint -f ingress.yaml
  albctl lint -f deploy/ --missing report --deny-warnings

A Service, Secret, IngressClass or AlbConfig that is referred to and not among the files is taken to exist as long as the
files hold no object of its kind (a note says so); otherwise it is an error. --missing says otherwise.";

const ROUTE_HELP: &str = "\
Example:
  albctl route -f examples/manifests 'GET http://shop.example.com/news?page=2' -H 'x-env: canary'
  albctl route -f examples/manifests --requests requests.json -o json

Requests of a file: [{\"id\", \"method\", \"scheme\", \"host\", \"port\", \"path\", \"query\", \"headers\": {}, \"source_ip\"}]; all but
host and path may be left out.";

const EXPLAIN_HELP: &str = "\
Example:
  albctl explain -f examples/manifests 'GET http://shop.example.com/news/offers/today'";

const PLAN_HELP: &str = "\
Examples:
  albctl plan --from old/ --to new/
  albctl plan --to new/ --endpoint http://127.0.0.1:8080 --cluster-id demo --vpc-id vpc-sim

Marks: + added, ~ changed, - removed, > moved, ! a request may notice the step. Credentials for --endpoint and --live
are looked for where the controller looks: ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, RRSA, the
profile of the aliyun command line, the instance's RAM role. The plan makes reading calls only.";

/// How files are read.
#[derive(Clone, Debug, Args)]
pub struct Reading {
    /// Read the folders in folders, too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// Of several AlbConfigs, only this one.
    #[arg(long, value_name = "NAME")]
    pub albconfig: Option<String>,
    /// What to make of objects that are referred to and not among the files.
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub missing: Missing,
    /// Id of the cluster; it is part of tags and names of what an ALB gets.
    #[arg(long, env = "CLUSTER_ID", default_value = "offline", value_name = "ID")]
    pub cluster_id: String,
    /// VPC of the cluster (vpc-...).
    #[arg(long, env = "VPC_ID", default_value = "vpc-offline", value_name = "ID")]
    pub vpc_id: String,
}

/// Files to read, and how.
#[derive(Clone, Debug, Args)]
pub struct Input {
    /// YAML or JSON files, folders of them, or - for standard input.
    #[arg(short, long = "filename", required = true, num_args = 1.., value_name = "PATH")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// `translate`.
#[derive(Debug, Args)]
pub struct Translate {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// `lint`.
#[derive(Debug, Args)]
pub struct Lint {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Exit with 1 on warnings, too.
    #[arg(long)]
    pub deny_warnings: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// `route`.
#[derive(Debug, Args)]
pub struct Route {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// A JSON file of requests, - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request", "header", "source_ip"])]
    pub requests: Option<PathBuf>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// One request.
#[derive(Clone, Debug, Args)]
pub struct Asked {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The request, such as `GET https://example.com/path?x=1`.
    #[arg(value_name = "REQUEST")]
    pub request: Option<String>,
    /// A header of the request, 'name: value'; may be given again.
    #[arg(short = 'H', long, value_name = "HEADER")]
    pub header: Vec<String>,
    /// Address of the client.
    #[arg(long, value_name = "ADDRESS")]
    pub source_ip: Option<std::net::IpAddr>,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Files of the state before: the plan starts from an ALB that is what they say.
    #[arg(long, num_args = 1.., value_name = "PATH", required_unless_present_any = ["endpoint", "live"])]
    pub from: Vec<PathBuf>,
    /// Files of the state that is wanted.
    #[arg(long, num_args = 1.., required = true, value_name = "PATH")]
    pub to: Vec<PathBuf>,
    /// Start from what the ALB behind this API endpoint is, such as that of alb-sim.
    #[arg(long, value_name = "URL", conflicts_with = "from")]
    pub endpoint: Option<String>,
    /// Start from what the ALB in the region is.
    #[arg(long, conflicts_with_all = ["from", "endpoint"])]
    pub live: bool,
    /// Region of the ALB.
    #[arg(long, env = "REGION_ID", default_value = "cn-hangzhou")]
    pub region: String,
    /// Rules that the ALB may hold, if its quota was raised.
    #[arg(long, value_name = "N")]
    pub max_rules: Option<usize>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}
