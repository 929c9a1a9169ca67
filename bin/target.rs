//! Temporary.
fn main() {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8000".into());
    let mut c = floodgate::target::Config::plain(addr.parse().unwrap());
    if let Some(d) = std::env::args().nth(2) {
        c.delay = floodgate::units::parse_duration(&d).unwrap();
    }
    let t = floodgate::target::start(c).unwrap();
    loop {
        floodgate::clock::sleep(std::time::Duration::from_secs(1));
        if !std::path::Path::new("/tmp/fg/run-target").exists() {
            break;
        }
    }
    println!("{:?}", t.seen());
}
