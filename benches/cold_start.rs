//! What a run of `irsa-probe` costs from the start of its process to its end, against the testbed.
//!
//! `cargo bench --bench cold_start` builds the static binary that ships (`IRSA_PROBE_BIN` names
//! another), runs it at several round-trip times, and prints the median, the 95th percentile and
//! whether the target is met. Further flags go after `--`: `--rtt 0,20 --runs 50`, or `--quick`.
//! It fails if a run fails, never because one is slow.
//!
//! The round trip is the testbed's doing: DNS answers after one, a connection costs one, and each
//! direction takes half of one. Its timer has a resolution of a millisecond and waits a little longer
//! rather than shorter, so the table has a line for the same delays without any probe: one query, one
//! connection, three messages there and back. The testbed shares the machine with the probe.
//!
//! Memory: Linux gives a new process's `ru_maxrss` the peak of whatever it was started from, whether
//! by `fork` or by `vfork`. So this program starts a second, fresh copy of itself, which does nothing
//! but start the probe and read its `getrusage(RUSAGE_CHILDREN)`; it also reports its own peak at
//! that time, and only a greater figure is certain to be the probe's own. What is not is marked.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]
#![expect(
    clippy::disallowed_methods,
    reason = "the rule keeps the probe's own reads in one file; this is not the probe"
)]

mod shipped;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use irsa_probe::net::tls::SYSTEM_ROOTS;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use testbed::dns::{A, AAAA};
use testbed::link::Link;
use testbed::scenario::DEFAULT_STS_HOST;
use testbed::{Scenario, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The first argument of the copy that only starts a program and measures it.
const LAUNCH: &str = "--launch";
const WARM_UPS: usize = 3;
/// The AWS CLI takes long, and its figures are for comparison only.
const MOST_RUNS_OF_CLI: usize = 10;
const MIB: f64 = 1024.0 * 1024.0;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// What a run costs, against the testbed.
#[derive(Parser)]
#[command(name = "cold_start")]
struct Flags {
    /// Round-trip times in milliseconds, separated by commas
    #[arg(long, value_name = "MS,...", value_delimiter = ',')]
    rtt: Option<Vec<u64>>,
    /// Measured runs for each round-trip time
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// 5 runs, at 0 and 20 ms
    #[arg(long)]
    quick: bool,
    /// Given by `cargo bench`, and not by `cargo test`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let outcome = if args.next().is_some_and(|first| first == LAUNCH) {
        launch(args)
    } else {
        let flags = Flags::parse();
        if flags.bench {
            bench(&flags)
        } else {
            println!("nothing is measured: this is for `cargo bench`");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cold_start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(flags: &Flags) -> Fallible<()> {
    let (rtts, runs) = if flags.quick { (vec![0, 20], 5) } else { (vec![0, 10, 40], 30) };
    let rtts = flags.rtt.clone().unwrap_or(rtts);
    let runs = flags.runs.map_or(runs, usize::from);

    let probe = shipped::binary()?;
    let system_roots = SYSTEM_ROOTS.iter().find_map(|path| fs::read_to_string(path).ok());
    let cli_version = version("aws");
    println!("{}", probe.display());
    println!(
        "{runs} runs for each round-trip time, after {WARM_UPS} warm-ups; the trust store has {} certificates",
        1 + system_roots.as_deref().map_or(0, certificates)
    );
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        println!("load of the machine before the first run: {}", load.trim_end());
    }
    println!();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut table = Table::new();
    for rtt in rtts {
        let rtt = Duration::from_millis(rtt);
        let measured = measure(&runtime, &probe, rtt, system_roots.as_deref(), runs)?;
        let delays = delays_alone(&runtime, rtt, runs)?;
        table.probe(rtt, &measured, delays);
        if cli_version.is_some() {
            let runs = runs.min(MOST_RUNS_OF_CLI);
            match measure_cli(&runtime, rtt, system_roots.as_deref(), runs) {
                Ok(measured) => table.cli(rtt, &measured),
                Err(error) => table.note(format!("aws was not measured: {error}")),
            }
        }
    }
    table.audit(&measure_audit(&runtime, &probe, runs)?);
    table.size("binary", count(fs::metadata(&probe)?.len()) / MIB, "MiB", 8.0);
    match compressed(&probe, system_roots.as_deref()) {
        Ok(bytes) => table.size("binary and CA roots, tar, gzip -9", bytes / 1e6, "MB", 4.0),
        Err(error) => table.note(format!("the compressed size was not measured: {error}")),
    }
    match cli_version {
        Some(version) => table.note(format!(
            "aws is `aws sts get-caller-identity` with an empty cache, at most {MOST_RUNS_OF_CLI} runs, at \
             https://localhost, whose name costs it no query: {version}"
        )),
        None => table.note("aws is not on PATH, so there is nothing to compare with".to_owned()),
    }
    print!("{}", table.text);
    Ok(())
}

/// What the launcher saw of the program that it started.
#[derive(Serialize, Deserialize)]
struct Cost {
    /// From before the start to after the end, in seconds.
    wall: f64,
    /// User and system time, in seconds.
    cpu: f64,
    /// The greatest resident set, in bytes.
    peak: u64,
    /// The launcher's own, which the program's figure cannot be below.
    launcher_peak: u64,
    /// The exit code, unless a signal ended the program.
    code: Option<i32>,
}

/// Runs a program; prints its [`Cost`] on the first line and its output after it.
fn launch(mut command: impl Iterator<Item = OsString>) -> Fallible<()> {
    let program = command.next().ok_or("there is no program to launch")?;
    let started = Instant::now();
    let child = Command::new(program).args(command).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let launcher_peak = peak_of_this_process()?;
    let output = child.wait_with_output()?;
    let wall = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| count(u64::try_from(time.num_microseconds()).unwrap_or(0)) / 1e6;
    let cost = Cost {
        wall,
        cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
        peak: u64::try_from(usage.max_rss())? * 1024,
        launcher_peak,
        code: output.status.code(),
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(io::stdout().write_all(&output.stdout)?)
}

fn peak_of_this_process() -> Fallible<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kibibytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"))
        .ok_or("/proc/self/status has no VmHWM")?
        .trim()
        .parse()?;
    Ok(kibibytes * 1024)
}

/// One run: what it cost, and what the testbed saw of it.
struct Run {
    cost: Cost,
    queries: usize,
    /// Whether the queries were one for each kind of address of the endpoint's very name.
    queries_are_one_lookup: bool,
    connections: u64,
    handshakes: u64,
    requests: usize,
}

/// Runs a command in the world through a launcher; it has to end with this exit code, and its output to
/// satisfy `passed`.
fn run(
    world: &World,
    program: &Path,
    prepare: impl FnOnce(&mut Command),
    code: i32,
    passed: impl FnOnce(&Value) -> bool,
) -> Fallible<Run> {
    let counts = || {
        let sts = world.sts();
        (world.dns().queries().len(), sts.connections(), sts.handshakes(), sts.requests().len())
    };
    let (queries, connections, handshakes, requests) = counts();
    let mut launcher = Command::new(std::env::current_exe()?);
    launcher.arg(LAUNCH).arg(program).current_dir(world.dir());
    prepare(&mut launcher);
    let output = launcher.stdin(Stdio::null()).output()?;
    let now = counts();

    let stdout = String::from_utf8_lossy(&output.stdout);
    let (cost, printed) = stdout.split_once('\n').unwrap_or_default();
    let failed = || {
        let stderr = String::from_utf8_lossy(&output.stderr);
        format!("a run failed:\n{printed}\n{stderr}")
    };
    let cost: Cost = serde_json::from_str(cost).map_err(|_| failed())?;
    let printed_json = serde_json::from_str(printed).map_err(|_| failed())?;
    if cost.code != Some(code) || !passed(&printed_json) {
        return Err(failed().into());
    }
    let mut asked: Vec<(String, u16)> = world
        .dns()
        .queries()
        .split_off(queries)
        .into_iter()
        .map(|query| (query.name, query.record_type))
        .collect();
    asked.sort();
    Ok(Run {
        cost,
        queries: asked.len(),
        queries_are_one_lookup: asked
            == [A, AAAA].map(|record_type| (DEFAULT_STS_HOST.to_owned(), record_type)),
        connections: now.1 - connections,
        handshakes: now.2 - handshakes,
        requests: now.3 - requests,
    })
}

/// A world at this distance, and in it a file with its CA and the system's.
fn start(
    runtime: &Runtime,
    rtt: Duration,
    host: &str,
    system_roots: Option<&str>,
) -> Fallible<(World, PathBuf)> {
    let rtt = rtt.as_millis();
    let scenario = Scenario::parse(&format!(
        "sts = {{ host = \"{host}\", round_trip = \"{rtt}ms\" }}\ndns = {{ delay = \"{rtt}ms\" }}"
    ))?;
    let world = runtime.block_on(World::start(&scenario));
    let roots = world.dir().join("roots.pem");
    let pem = world.ca_pem() + system_roots.unwrap_or_default();
    fs::write(&roots, pem)?;
    Ok((world, roots))
}

fn measure(
    runtime: &Runtime,
    probe: &Path,
    rtt: Duration,
    system_roots: Option<&str>,
    runs: usize,
) -> Fallible<Vec<Run>> {
    let (world, roots) = start(runtime, rtt, DEFAULT_STS_HOST, system_roots)?;
    let one = || {
        let prepare = |command: &mut Command| {
            command
                .arg("check")
                .env_clear()
                .envs(world.env())
                // The CA is found where the system's are, and the time limits are the usual ones.
                .env_remove("AWS_CA_BUNDLE")
                .env_remove("IRSA_PROBE_WAIT")
                .env_remove("IRSA_PROBE_TIMEOUT")
                .env("IRSA_PROBE_SYSTEM_ROOTS", &roots);
        };
        run(&world, probe, prepare, 0, |report| text(report, "/outcome") == Some("pass"))
    };
    repeat(WARM_UPS, runs, one)
}

/// Audits of a pod's report, with a policy that refuses it and a provider in files: a diagnosis is more work
/// than a pass, for the policy is corrected, too.
fn measure_audit(runtime: &Runtime, probe: &Path, runs: usize) -> Fallible<Vec<Run>> {
    let (world, _) = start(runtime, Duration::ZERO, DEFAULT_STS_HOST, None)?;
    let audited: Value = serde_json::from_str(include_str!("../examples/audit.json"))?;
    let policy = audited.pointer("/audit/trust_policy/document").ok_or("the example has no policy")?;
    let issuer = text(&audited, "/token/issuer").ok_or("the example has no issuer")?;
    let provider = serde_json::json!({"Url": issuer, "ClientIDList": ["sts.amazonaws.com"]});
    let log = include_str!("../examples/AssumeRoleNotAuthorized.json");
    for (file, content) in [("log", log), ("role", &policy.to_string()), ("provider", &provider.to_string())]
    {
        fs::write(world.dir().join(file), content)?;
    }
    let one = || {
        let prepare = |command: &mut Command| {
            command.env_clear().args(["audit", "--output", "json", "--report", "log"]);
            command.args(["--trust-policy", "role", "--oidc-provider", "provider"]);
        };
        run(&world, probe, prepare, 12, |report| {
            text(report, "/diagnosis/name") == Some("TrustSubjectMismatch")
        })
    };
    repeat(WARM_UPS, runs, one)
}

fn text<'a>(report: &'a Value, place: &str) -> Option<&'a str> {
    report.pointer(place).and_then(Value::as_str)
}

/// How long the testbed's delays take by themselves, each time in seconds: a query and its answer, a
/// connection, and three messages, of which a handshake is answered at once and a request by STS's
/// script, which sleeps even if it is for no time.
fn delays_alone(runtime: &Runtime, rtt: Duration, runs: usize) -> Fallible<Vec<f64>> {
    let (world, _) = start(runtime, rtt, DEFAULT_STS_HOST, None)?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = runtime.block_on(TcpListener::bind(loopback))?;
    let server = listener.local_addr()?;
    let link = if rtt.is_zero() { None } else { Some(runtime.block_on(Link::start(server, rtt))?) };
    let server = link.as_ref().map_or(server, Link::address);
    runtime.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for message in 0..3 {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                if message > 0 {
                    tokio::time::sleep(Duration::ZERO).await;
                }
                if stream.write_u8(byte).await.is_err() {
                    break;
                }
            }
        }
    });
    // A header with one question, the name, and its type and class.
    let mut query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in DEFAULT_STS_HOST.split('.') {
        query.push(u8::try_from(label.len())?);
        query.extend(label.as_bytes());
    }
    query.extend(b"\0\0\x01\0\x01");

    let once = || {
        let started = Instant::now();
        let socket = UdpSocket::bind(loopback)?;
        socket.send_to(&query, world.dns().address())?;
        socket.recv(&mut [0; 512])?;
        let mut stream = TcpStream::connect(server)?;
        for _ in 0..3 {
            stream.write_all(&[0])?;
            stream.read_exact(&mut [0])?;
        }
        Ok(started.elapsed().as_secs_f64())
    };
    (0..runs).map(|_| once()).collect()
}

fn measure_cli(
    runtime: &Runtime,
    rtt: Duration,
    system_roots: Option<&str>,
    runs: usize,
) -> Fallible<Vec<Run>> {
    let (world, roots) = start(runtime, rtt, "localhost", system_roots)?;
    // It keeps the role's credentials in its home directory.
    let homes = (0..).map(|number| world.dir().join(format!("home-{number}")));
    let mut homes = homes.into_iter();
    let one = || {
        let home = homes.next().unwrap_or_default();
        fs::create_dir(&home)?;
        let prepare = |command: &mut Command| {
            command.args(["sts", "get-caller-identity", "--output", "json"]);
            for (name, _) in std::env::vars_os() {
                let text = name.to_string_lossy().to_ascii_lowercase();
                if text.starts_with("aws_") || text.ends_with("_proxy") {
                    command.env_remove(name);
                }
            }
            let of_aws = world.env().iter().filter(|(name, _)| name.starts_with("AWS_"));
            command.envs(of_aws).env("AWS_CA_BUNDLE", &roots).env("HOME", &home);
        };
        let run = run(&world, Path::new("aws"), prepare, 0, |identity| identity.get("Arn").is_some())?;
        if run.requests == 2 {
            Ok(run)
        } else {
            Err(format!("it made {} requests to the testbed, not 2", run.requests).into())
        }
    };
    repeat(1, runs, one)
}

fn repeat(warm_ups: usize, runs: usize, mut one: impl FnMut() -> Fallible<Run>) -> Fallible<Vec<Run>> {
    for _ in 0..warm_ups {
        one()?;
    }
    (0..runs).map(|_| one()).collect()
}

/// What a program says of its version, if there is such a program.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn certificates(pem: &str) -> usize {
    pem.matches("-----BEGIN CERTIFICATE-----").count()
}

/// The size of what is in the image, as a registry stores it, in bytes.
fn compressed(probe: &Path, system_roots: Option<&str>) -> Fallible<f64> {
    let image = tempfile::tempdir()?;
    fs::copy(probe, image.path().join("irsa-probe"))?;
    let roots = system_roots.ok_or("the system has no CA roots")?;
    fs::write(image.path().join("ca-certificates.crt"), roots)?;
    let mut tar = Command::new("tar")
        .args(["--create", "--directory"])
        .args([image.path(), Path::new(".")])
        .stdout(Stdio::piped())
        .spawn()?;
    let archive = tar.stdout.take().ok_or("tar has no output")?;
    let gzip = Command::new("gzip").arg("-9").stdin(archive).output()?;
    if tar.wait()?.success() && gzip.status.success() {
        Ok(count(u64::try_from(gzip.stdout.len())?))
    } else {
        Err("tar or gzip failed".into())
    }
}

/// What is printed.
struct Table {
    text: String,
}

impl Table {
    fn new() -> Self {
        let mut table = Self { text: String::new() };
        table.row("RTT", "", "median", "p95", "target", None);
        table
    }

    fn row(&mut self, rtt: &str, what: &str, median: &str, p95: &str, target: &str, met: Option<bool>) {
        let verdict = match met {
            None => "",
            Some(true) => "met",
            Some(false) => "missed",
        };
        let line = format!("{rtt:>6}  {what:<34}{median:>11}{p95:>11}  {target:<24}{verdict}");
        self.text += line.trim_end();
        self.text += "\n";
    }

    fn note(&mut self, text: String) {
        self.text += &text;
        self.text += "\n";
    }

    fn size(&mut self, what: &str, size: f64, unit: &str, most: f64) {
        let (figure, target) = (format!("{size:.2} {unit}"), format!("< {most} {unit}"));
        self.row("", what, &figure, "", &target, Some(size < most));
    }

    /// The median and the 95th percentile, the former below a target.
    fn timing(
        &mut self,
        rtt: &str,
        what: &str,
        values: impl Iterator<Item = f64>,
        unit: &str,
        most: Option<f64>,
    ) {
        let (median, p95) = percentiles(values);
        let shown = |value: f64| format!("{value:.1} {unit}");
        let target = most.map_or_else(String::new, |most| format!("< {most:.0} {unit}"));
        let met = most.map(|most| median < most);
        self.row(rtt, what, &shown(median), &shown(p95), &target, met);
    }

    /// A count that has to be the same in all runs.
    fn counted(
        &mut self,
        rtt: &str,
        what: &str,
        values: impl Iterator<Item = u64>,
        wanted: u64,
        words: &str,
        also: bool,
    ) {
        let values: Vec<u64> = values.collect();
        let met = also && values.iter().all(|value| *value == wanted);
        let (median, p95) = percentiles(values.into_iter().map(count));
        let shown = |value: f64| format!("{value:.0}");
        let target = format!("{wanted}{words}");
        self.row(rtt, what, &shown(median), &shown(p95), &target, Some(met));
    }

    fn probe(&mut self, rtt: Duration, runs: &[Run], delays: Vec<f64>) {
        let most_wall = 5.2 * rtt.as_secs_f64() * 1e3 + 20.0;
        let rtt = &format!("{} ms", rtt.as_millis());
        let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let wall = runs.iter().map(|run| run.cost.wall * 1e3);
        self.timing(rtt, "wall time", wall, "ms", Some(most_wall));
        let delays = delays.into_iter().map(|seconds| seconds * 1e3);
        self.timing(rtt, "  the testbed's delays alone", delays, "ms", None);
        let cpu = runs.iter().map(|run| run.cost.cpu * 1e3);
        self.timing(rtt, "CPU time, user and system", cpu, "ms", Some(15.0));
        let peak = runs.iter().map(|run| count(run.cost.peak) / MIB);
        self.timing(rtt, "peak memory", peak, "MiB", Some(8.0));
        let queries = runs.iter().map(|run| wide(run.queries));
        let one_lookup = runs.iter().all(|run| run.queries_are_one_lookup);
        let words = " (A, AAAA; no suffix)";
        self.counted(rtt, "DNS queries", queries, 2, words, one_lookup);
        let connections = runs.iter().map(|run| run.connections);
        self.counted(rtt, "connections", connections, 1, "", true);
        let handshakes = runs.iter().map(|run| run.handshakes);
        self.counted(rtt, "TLS handshakes", handshakes, 1, "", true);
        let requests = runs.iter().map(|run| wide(run.requests));
        self.counted(rtt, "requests", requests, 2, "", true);
        let unsure = runs.iter().filter(|run| run.cost.peak <= run.cost.launcher_peak).count();
        if unsure > 0 {
            self.note(format!(
                "        in {unsure} runs the peak memory may be the launcher's, and the probe's less"
            ));
        }
    }

    fn audit(&mut self, runs: &[Run]) {
        let wall = runs.iter().map(|run| run.cost.wall * 1e3);
        self.timing("", "audit offline: wall time", wall, "ms", None);
        let cpu = runs.iter().map(|run| run.cost.cpu * 1e3);
        self.timing("", "audit offline: CPU time", cpu, "ms", Some(20.0));
        let peak = runs.iter().map(|run| count(run.cost.peak) / MIB);
        self.timing("", "audit offline: peak memory", peak, "MiB", None);
        let asked = runs.iter().map(|run| u64::try_from(run.queries).unwrap_or(u64::MAX) + run.connections);
        self.counted("", "audit offline: asks DNS or STS", asked, 0, "", true);
    }

    fn cli(&mut self, rtt: Duration, runs: &[Run]) {
        let rtt = &format!("{} ms", rtt.as_millis());
        let wall = runs.iter().map(|run| run.cost.wall * 1e3);
        self.timing(rtt, "aws: wall time", wall, "ms", None);
        let cpu = runs.iter().map(|run| run.cost.cpu * 1e3);
        self.timing(rtt, "aws: CPU time", cpu, "ms", None);
        let peak = runs.iter().map(|run| count(run.cost.peak) / MIB);
        self.timing(rtt, "aws: peak memory", peak, "MiB", None);
        let connections = runs.iter().map(|run| count(run.connections));
        let (median, p95) = percentiles(connections);
        let (median, p95) = (format!("{median:.0}"), format!("{p95:.0}"));
        self.row(rtt, "aws: connections", &median, &p95, "", None);
    }
}

/// The median and the 95th percentile, each the nearest of the values.
fn percentiles(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |hundredths: usize| {
        let rank = (values.len() * hundredths).div_ceil(100);
        values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    };
    (at(50), at(95))
}

fn count(value: u64) -> f64 {
    value as f64
}
