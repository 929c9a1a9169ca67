//! Compares clients: the CPU time per request on the sending host, for floodgate, wrk, ab, oha, hey, vegeta,
//! k6 and a bare loop of system calls (the floor, which wakes up for each answer or rests in between), as far
//! as they are installed.
//!
//! `just bench [--seconds 5] [--rounds 5] [--connections 32,256] [--bytes 4] [--only floodgate,wrk]
//! [--https on|off|only] [--plan on] [--out results/bench.md]`
//!
//! The server is nginx on one core; the client is pinned to another. The clients take turns, so that a
//! machine whose speed drifts treats all of them equally. The results are medians over the rounds, and the
//! median of each round's ratio to wrk. The HTTP part is followed by HTTPS if openssl can make a certificate;
//! nginx then offers one cipher to all. With `--plan on`, the clients send a mix of requests instead, over
//! HTTP.

mod calls;
mod certificate;
mod counts;
mod floor;
mod measure;
mod plans;
mod server;
mod table;
mod tools;

use calls::Load;
use measure::Run;
use server::SMALL_BODY;
use std::path::Path;
use std::time::Duration;
use tools::Tool;

struct Options {
    seconds: u64,
    rounds: usize,
    connections: Vec<usize>,
    bytes: usize,
    only: Option<Vec<String>>,
    http: bool,
    https: bool,
    plan: bool,
    out: String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.first().is_some_and(|word| word == "floor") {
        return floor::main(&arguments[1..]);
    }
    let outcome = options(&arguments).and_then(|options| bench(&options));
    if let Err(error) = outcome {
        eprintln!("bench: {error}");
        std::process::exit(1);
    }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        seconds: 5,
        rounds: 5,
        connections: vec![32, 256],
        bytes: SMALL_BODY.len(),
        only: None,
        http: true,
        https: true,
        plan: false,
        out: "results/bench.md".to_owned(),
    };
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text:?} is not a number"));
    for pair in arguments.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        match flag.as_str() {
            "--seconds" => options.seconds = number(value)? as u64,
            "--rounds" => options.rounds = number(value)?,
            "--connections" => {
                options.connections = value.split(',').map(number).collect::<Result<_, _>>()?
            }
            "--bytes" => options.bytes = number(value)?,
            "--only" => options.only = Some(value.split(',').map(str::to_owned).collect()),
            "--https" => {
                (options.http, options.https) = match value.as_str() {
                    "on" => (true, true),
                    "off" => (true, false),
                    "only" => (false, true),
                    _ => return Err(format!("--https {value}: use on, off or only")),
                }
            }
            "--plan" => {
                options.plan = value == "on";
                options.https &= !options.plan;
            }
            "--out" => options.out = value.clone(),
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    Ok(options)
}

fn bench(options: &Options) -> Result<(), String> {
    let server = server::Nginx::start(options.https, options.bytes)?;
    let mut tools = if options.plan { plans::tools() } else { tools::all()? };
    tools::keep_installed(&mut tools, options.only.as_deref());
    // The floor assumes that each read is a whole answer.
    tools.retain(|tool| options.bytes == SMALL_BODY.len() || !tool.is_floor());
    let mut text = table::head(options.rounds, options.seconds, options.bytes);
    if options.http {
        text += &side(options, &tools, &server.url(), None, "nginx on one core")?;
    }
    tools.retain(|tool| !tool.is_floor());
    if let Some(secure) = server.secure() {
        let words = format!("nginx with {} on one core", secure.cipher);
        text += &side(options, &tools, &secure.url(), Some(&secure.certificate), &words)?;
    } else if options.https {
        text += "\nHTTPS is not measured: openssl, which makes the certificate, is not installed.\n";
    }
    print!("{text}");
    if let Some(folder) = Path::new(&options.out).parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    std::fs::write(&options.out, text).map_err(|e| format!("{}: {e}", options.out))
}

/// The tables for HTTP or HTTPS.
fn side(
    options: &Options,
    tools: &[Tool],
    url: &str,
    certificate: Option<&Path>,
    server: &str,
) -> Result<String, String> {
    let mut text = String::new();
    for &connections in &options.connections {
        let load = Load { url, certificate, connections, seconds: options.seconds };
        text += &table::render(tools, connections, server, &rounds(tools, &load, options.rounds)?);
    }
    Ok(text)
}

/// The runs of each tool.
fn rounds(tools: &[Tool], load: &Load, rounds: usize) -> Result<Vec<Vec<Run>>, String> {
    let mut runs = vec![Vec::new(); tools.len()];
    let scheme = load.url.split(':').next().unwrap_or_default();
    for round in 0..=rounds {
        for (tool, own) in tools.iter().zip(&mut runs) {
            let run = measure::run(&tool.command(load), Duration::from_secs(load.seconds + 30))
                .and_then(|finished| finished.counted(tool))?;
            eprintln!(
                "{scheme}, {} connections, round {round}: {:9} {:6.2} µs/request",
                load.connections, tool.name, run.cpu_us
            );
            // The first round warms up caches and the processor's clock and does not count.
            if round > 0 {
                own.push(run);
            }
        }
    }
    Ok(runs)
}
