//! What `irsa-probe watch` costs while nothing happens, and how soon it sees what does.
//!
//! `cargo bench --bench steady_state` builds the static binary that ships (`IRSA_PROBE_BIN` names
//! another) and lets three sidecars run against the testbed for five minutes. Further flags go after
//! `--`: `--seconds 60`, or `--quick`. It fails if a sidecar uses clearly more memory than it may, or
//! asks STS at another rate than it should; never because something is slow.
//!
//! An hour is not waited for. One sidecar, with the usual interval, is only ever seen between two
//! checks: what its looks at the token file and the clock cost is scaled to an hour. A second one, with
//! the shortest interval, tells what a check costs. A third one is asked over HTTP, for what the kubelet
//! and Prometheus cost.
//!
//! CPU time is that of the process's clock, in nanoseconds, with all threads, ended ones too. Memory is
//! `RssAnon` and `VmHWM` in `/proc`; the latter is the peak of what is resident, the binary's pages
//! included, which the kernel can drop.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]
#![expect(
    clippy::disallowed_methods,
    reason = "the rule keeps the probe's own reads in one file; this is not the probe"
)]

mod shipped;

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use irsa_probe::net::tls::SYSTEM_ROOTS;
use nix::sys::time::TimeValLike as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde_json::Value;
use testbed::world::{Exit, Running};
use testbed::{Scenario, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

const MIB: f64 = 1024.0 * 1024.0;
const HOUR: f64 = 3600.0;
/// The interval of a sidecar that is left alone, in seconds.
const USUAL: f64 = HOUR;
/// The shortest interval that `watch` takes, in seconds.
const SHORTEST: f64 = 10.0;
/// The first pause may be half as long as the interval or one and a half times as long, each further
/// one a tenth less or more.
const FIRST_PAUSE: (f64, f64) = (0.5, 1.5);
const PAUSE: (f64, f64) = (0.9, 1.1);
/// Anonymous memory in MiB, with which a sidecar fails.
const MOST_MEMORY: f64 = 6.0;
/// How often a path is asked for to learn what that costs.
const ASKED: u32 = 300;
/// What a pod with the manifests' probes and PodMonitor is asked in an hour: `/readyz` every 10 s,
/// `/livez` and `/metrics` every 30 s.
const ASKED_AN_HOUR: [(&str, f64); 3] = [("/readyz", 360.0), ("/livez", 120.0), ("/metrics", 120.0)];

type Fallible<T> = Result<T, Box<dyn Error>>;

/// What a sidecar costs, against the testbed.
#[derive(Parser)]
#[command(name = "steady_state")]
struct Flags {
    /// For how long the sidecars are left alone, in seconds; 300 if not said
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(20..=1500))]
    seconds: Option<u16>,
    /// 20 seconds, and fewer starts and rotations
    #[arg(long)]
    quick: bool,
    /// Given by `cargo bench`, and not by `cargo test`
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    if !flags.bench {
        println!("nothing is measured: this is for `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match Box::pin(bench(&flags)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("steady_state: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; says whether memory and requests are as they have to be.
async fn bench(flags: &Flags) -> Fallible<bool> {
    let (starts, rotations, seconds) = if flags.quick { (5, 5, 20) } else { (20, 20, 300) };
    let seconds = f64::from(flags.seconds.unwrap_or(seconds));
    let probe = shipped::binary()?;
    let roots = SYSTEM_ROOTS.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    println!("{}", probe.display());
    println!(
        "the trust store has the system's {} certificates and the testbed's",
        roots.matches("-----BEGIN CERTIFICATE-----").count()
    );
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        println!("load of the machine before the first start: {}", load.trim_end());
    }
    println!();
    let mut table = Table::new();

    // The first start finds a cold file cache.
    Sidecar::start(&probe, &roots, USUAL).await?.end().await?;
    let (mut to_ready, mut from_pass) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        let sidecar = Sidecar::start(&probe, &roots, USUAL).await?;
        to_ready.push(sidecar.to_ready.as_secs_f64() * 1e3);
        from_pass.push(sidecar.from_pass.as_secs_f64() * 1e3);
        sidecar.end().await?;
    }
    table.times("from the start to /readyz 200", &to_ready, "ms", None);
    table.times("from STS's last answer to /readyz 200", &from_pass, "ms", Some(1000.0));

    let still = Sidecar::start(&probe, &roots, USUAL).await?;
    let busy = Sidecar::start(&probe, &roots, SHORTEST).await?;
    let asked = Sidecar::start(&probe, &roots, USUAL).await?;
    table.memory("anonymous memory, ready", still.memory("RssAnon")?);

    let before = [still.cost()?, busy.cost()?];
    let began = Instant::now();
    let mut greatest = 0.0;
    while began.elapsed().as_secs_f64() < seconds {
        sleep(Duration::from_secs(1)).await;
        greatest = busy.memory("RssAnon")?.max(greatest);
    }
    let passed = began.elapsed().as_secs_f64();
    let [alone, checking] = [still.cost()?.since(&before[0]), busy.cost()?.since(&before[1])];
    let checks = count(checking.assumed);
    let after = format!("after {seconds} s");
    table.memory(&format!("anonymous memory, {after}"), still.memory("RssAnon")?);
    table.memory("anonymous memory, greatest with a check every 10 s", greatest);

    let per_request = asked.ask_often().await?;
    table.memory(&format!("anonymous memory, asked {} times", 3 * ASKED), asked.memory("RssAnon")?);
    table.peak("peak resident memory, of the three", [&still, &busy, &asked])?;

    let an_hour = alone.cpu / passed * HOUR;
    let check = (checking.cpu - alone.cpu) / checks;
    table.plain("CPU time of the ticks, in an hour", an_hour, "s");
    table.plain("CPU time of one check", check * 1e3, "ms");
    table.below("CPU time in an hour: ticks and one check", an_hour + check, "s", 1.0);
    let asking: f64 = per_request.iter().zip(ASKED_AN_HOUR).map(|(cost, (_, times))| cost * times).sum();
    for (cost, (path, _)) in per_request.iter().zip(ASKED_AN_HOUR) {
        table.plain(&format!("CPU time of one GET {path}"), cost * 1e3, "ms");
    }
    table.below("CPU time in an hour: asked as by the manifests too", an_hour + check + asking, "s", 1.0);

    table.requests(&format!("checks {after}, one an hour"), alone.assumed, rate(passed, USUAL));
    table.requests(&format!("checks {after}, one every 10 s"), checking.assumed, rate(passed, SHORTEST));
    let others = alone.others + checking.others;
    table.requests("requests to STS besides", others, (0, 0));

    busy.end().await?;
    asked.end().await?;
    let seen = still.rotate(rotations).await?;
    table.times("from a rotation to its log line", &seen, "ms", Some(2000.0));
    print!("{}", table.text);
    Ok(table.good)
}

/// The fewest and the most checks in a time that begins with the first pass.
fn rate(passed: f64, interval: f64) -> (u64, u64) {
    let within = |time: f64, first: f64, further: f64| {
        let left = time - first * interval;
        if left < 0.0 { 0 } else { 1 + (left / (further * interval)).floor() as u64 }
    };
    // One that is due at the very end may be seen or not.
    (within(passed, FIRST_PAUSE.1, PAUSE.1).saturating_sub(1), within(passed + 1.0, FIRST_PAUSE.0, PAUSE.0))
}

/// A sidecar that became ready, in a world of its own.
struct Sidecar {
    world: World,
    running: Running,
    address: SocketAddr,
    to_ready: Duration,
    from_pass: Duration,
}

/// What a sidecar has cost so far.
struct Cost {
    /// In seconds.
    cpu: f64,
    /// How often it has asked STS for the role.
    assumed: u64,
    /// How often it has asked STS for something else.
    others: u64,
}

impl Cost {
    fn since(self, before: &Self) -> Self {
        Self {
            cpu: self.cpu - before.cpu,
            assumed: self.assumed - before.assumed,
            others: self.others - before.others,
        }
    }
}

impl Sidecar {
    /// Starts one with an interval in seconds, and waits until it is ready.
    async fn start(probe: &Path, system_roots: &str, interval: f64) -> Fallible<Self> {
        // The CA is found where the system's are, and the time limits are the usual ones.
        let scenario = Scenario::parse(
            r#"
            command = "watch"
            unset = ["AWS_CA_BUNDLE", "IRSA_PROBE_TIMEOUT", "IRSA_PROBE_WAIT"]
            env.IRSA_PROBE_SYSTEM_ROOTS = "${dir}/roots.pem"
            "#,
        )?;
        let world = World::start(&scenario).await;
        fs::write(world.dir().join("roots.pem"), world.ca_pem() + system_roots)?;
        let began = Instant::now();
        let interval = format!("{interval}s");
        let args = ["--listen", "127.0.0.1:0", "--interval", &interval];
        let mut running = world.spawn(probe, &args).await?;
        let line: Value = serde_json::from_str(&running.stderr_line(|line| line.contains("serving")).await?)?;
        let address = line.pointer("/fields/address").and_then(Value::as_str).ok_or("it serves nowhere")?;
        let address = address.parse()?;
        while !ask(address, "/readyz").await?.starts_with("HTTP/1.1 200") {
            if running.stdout_lines().iter().any(|line| !line.contains(r#""outcome":"pass""#)) {
                return Err(format!("the role does not work: {:?}", running.stdout_lines()).into());
            }
            sleep(Duration::from_millis(1)).await;
        }
        let (to_ready, now) = (began.elapsed(), SystemTime::now());
        let asked = world.sts().requests().last().map(|request| request.time).ok_or("STS was not asked")?;
        Ok(Self {
            world,
            running,
            address,
            to_ready,
            from_pass: now.duration_since(asked).unwrap_or_default(),
        })
    }

    fn cost(&self) -> Fallible<Cost> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.running.pid().try_into()?))?;
        let cpu = clock_gettime(clock)?.num_nanoseconds() as f64 / 1e9;
        let requests = self.world.sts().requests();
        let assumed = requests.iter().filter(|request| request.action == "AssumeRoleWithWebIdentity").count();
        let (assumed, others) = (u64::try_from(assumed)?, u64::try_from(requests.len() - assumed)?);
        Ok(Cost { cpu, assumed, others })
    }

    /// A line of the process's status, in MiB.
    fn memory(&self, name: &str) -> Fallible<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.running.pid()))?;
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix(" kB"))
            .ok_or_else(|| format!("the process's status has no {name}"))?;
        Ok(kibibytes.parse::<f64>()? * 1024.0 / MIB)
    }

    /// What one request for each path costs, in seconds of CPU time.
    async fn ask_often(&self) -> Fallible<Vec<f64>> {
        let mut costs = Vec::new();
        for (path, _) in ASKED_AN_HOUR {
            let before = self.cost()?;
            for _ in 0..ASKED {
                let answer = ask(self.address, path).await?;
                if !answer.starts_with("HTTP/1.1 200") {
                    return Err(format!("{path} said: {answer}").into());
                }
            }
            costs.push(self.cost()?.since(&before).cpu / f64::from(ASKED));
        }
        Ok(costs)
    }

    /// How long each rotation takes to be seen, in milliseconds. They come at all distances from the
    /// last look at the file, which was when the last one was seen. Then the sidecar is ended.
    async fn rotate(mut self, times: u32) -> Fallible<Vec<f64>> {
        let mut seen = Vec::new();
        for time in 0..times {
            sleep(Duration::from_secs(1) + Duration::from_secs(1) * time / times).await;
            let began = Instant::now();
            self.world.renew()?;
            let told = self.running.stderr_line(|line| line.contains("the token was rotated")).await;
            seen.push(began.elapsed().as_secs_f64() * 1e3);
            if let Err(error) = told {
                let status = self.running.end().await?.status;
                return Err(format!("rotation {time} was not told: {status:?}, {error}").into());
            }
        }
        self.end().await?;
        Ok(seen)
    }

    async fn end(self) -> Fallible<()> {
        self.running.terminate();
        let finished = self.running.end().await?;
        match finished.status {
            Exit::Code(0) => Ok(()),
            other => Err(format!("a sidecar ended with {other:?}").into()),
        }
    }
}

async fn ask(address: SocketAddr, path: &str) -> Fallible<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn count(value: u64) -> f64 {
    value as f64
}

/// What is printed, and whether what has to be met is.
struct Table {
    text: String,
    good: bool,
}

impl Table {
    fn new() -> Self {
        let mut table = Self { text: String::new(), good: true };
        table.row("", "median", "greatest", "target", None);
        table
    }

    fn row(&mut self, what: &str, median: &str, greatest: &str, target: &str, met: Option<bool>) {
        let verdict = match met {
            None => "",
            Some(true) => "met",
            Some(false) => "missed",
        };
        let line = format!("{what:<54}{median:>11}{greatest:>11}  {target:<12}{verdict}");
        self.text += line.trim_end();
        self.text += "\n";
    }

    /// What may be missed.
    fn below(&mut self, what: &str, value: f64, unit: &str, most: f64) {
        let (figure, target) = (format!("{value:.3} {unit}"), format!("< {most} {unit}"));
        self.row(what, &figure, "", &target, Some(value < most));
    }

    fn plain(&mut self, what: &str, value: f64, unit: &str) {
        self.row(what, &format!("{value:.3} {unit}"), "", "", None);
    }

    fn times(&mut self, what: &str, values: &[f64], unit: &str, most: Option<f64>) {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let median = values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN);
        let greatest = values.last().copied().unwrap_or(f64::NAN);
        let shown = |value: f64| format!("{value:.1} {unit}");
        let target = most.map_or_else(String::new, |most| format!("< {most} {unit}"));
        self.row(what, &shown(median), &shown(greatest), &target, most.map(|most| greatest < most));
    }

    /// What must not be missed.
    fn memory(&mut self, what: &str, value: f64) {
        self.below(what, value, "MiB", MOST_MEMORY);
        self.good &= value < MOST_MEMORY;
    }

    fn peak(&mut self, what: &str, sidecars: [&Sidecar; 3]) -> Fallible<()> {
        let mut greatest: f64 = 0.0;
        for sidecar in sidecars {
            greatest = sidecar.memory("VmHWM")?.max(greatest);
        }
        self.plain(what, greatest, "MiB");
        Ok(())
    }

    /// What must be within bounds.
    fn requests(&mut self, what: &str, value: u64, (least, most): (u64, u64)) {
        let met = (least..=most).contains(&value);
        let target = if least == most { format!("{most}") } else { format!("{least} to {most}") };
        self.row(what, &value.to_string(), "", &target, Some(met));
        self.good &= met;
    }
}
