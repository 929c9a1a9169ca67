//! Peers side by side: what one request costs the host that sends it, for floodgate, wrk, ab, oha, hey, vegeta, k6
//! and a bare loop of system calls (the floor), as far as they are installed.
//!
//! `just bench [--seconds 5] [--rounds 5] [--connections 32,256] [--only floodgate,wrk] [--out results/bench.md]`
//!
//! The server is nginx on one core, the client is pinned to another; the clients take turns, so that a machine whose
//! speed drifts is fair to all; quoted are medians over the rounds, and the median of each round's ratio to wrk.

mod floor;
mod measure;
mod server;
mod table;
mod tools;

use std::time::Duration;

struct Options {
    seconds: u64,
    rounds: usize,
    connections: Vec<usize>,
    only: Option<Vec<String>>,
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
        only: None,
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
            "--only" => options.only = Some(value.split(',').map(str::to_owned).collect()),
            "--out" => options.out = value.clone(),
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    Ok(options)
}

fn bench(options: &Options) -> Result<(), String> {
    let server = server::Nginx::start()?;
    let tools = tools::installed(options.only.as_deref())?;
    let mut rows = Vec::new();
    for &connections in &options.connections {
        let mut runs: Vec<Vec<measure::Run>> = vec![Vec::new(); tools.len()];
        for round in 0..=options.rounds {
            for (tool, own) in tools.iter().zip(&mut runs) {
                let command = tool.command(&server.url(), connections, options.seconds);
                let run = measure::run(&command, Duration::from_secs(options.seconds + 30))
                    .and_then(|finished| finished.counted(tool))?;
                eprintln!(
                    "{connections} connections, round {round}: {:9} {:6.2} µs/request",
                    tool.name, run.cpu_us
                );
                // The first round warms caches and the clock of the processor up and does not count.
                if round > 0 {
                    own.push(run);
                }
            }
        }
        rows.push((connections, runs));
    }
    let text = table::render(&tools, &rows, options.seconds, options.rounds);
    print!("{text}");
    if let Some(folder) = std::path::Path::new(&options.out).parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    std::fs::write(&options.out, text).map_err(|e| format!("{}: {e}", options.out))
}
