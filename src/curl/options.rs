//! The options of curl: which of them take a value, and what they mean for a plan (curl's manual, version
//! 8).

use crate::plan::fields::nearest;

/// Which kind of data an option adds to the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// `-d`: text, or a file without its line ends.
    Text,
    /// `--data-raw`: text, also if it begins with `@`.
    Raw,
    /// `--data-binary`: text, or a file.
    Binary,
    /// `--data-urlencode`.
    Encoded,
    /// `--json`: like binary, but joined without `&`.
    Json,
}

/// What an option means for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `-X`
    Method,
    /// `-H`
    Header,
    /// `-d` and the like.
    Data(Data),
    /// `-G`
    Get,
    /// `-I`
    Head,
    /// `-u`
    User,
    /// `--oauth2-bearer`
    Bearer,
    /// `-b`
    Cookie,
    /// The value of this header.
    Sets(&'static str),
    /// `-r`
    Range,
    /// `--url`
    Url,
    /// `--compressed`
    Compressed,
    /// `-k`
    Insecure,
    /// `-m`
    MaxTime,
    /// `-g`
    GlobOff,
    /// `--next`
    Next,
    /// Does not change what is sent.
    Nothing,
    /// Is not carried over; a comment in the plan says this.
    Comment(&'static str),
    /// Cannot be carried over; an error says this.
    Refused(&'static str),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its letter, or a blank.
    short: char,
    /// Its name.
    pub long: &'static str,
    /// Whether it takes a value.
    pub takes_value: bool,
    /// What it means.
    pub effect: Effect,
}

const fn flag(short: char, long: &'static str, effect: Effect) -> Known {
    Known { short, long, takes_value: false, effect }
}

const fn value(short: char, long: &'static str, effect: Effect) -> Known {
    Known { short, long, takes_value: true, effect }
}

const HTTP1: &str = "floodgate sends HTTP/1.1";
const MULTIPART: &str = "a plan has no multipart forms: save the body that curl sends (--trace-ascii shows \
    it) to a file, send it with --data-binary @FILE, and copy its Content-Type with the boundary";
const NO_AUTH: &str = "floodgate knows Basic and Bearer authentication only: use -u, --oauth2-bearer, or the \
    Authorization header";
const RUN: &str = "a plan does not have it; floodgate run has a flag of this name";
const PROXY: &str = "a plan does not have it; floodgate run has --http-proxy";
const CONNECT_TO: &str = "a plan does not have it; floodgate run has --resolve, and --host";

#[rustfmt::skip]
const KNOWN: &[Known] = &[
    value('X', "request", Effect::Method),
    value('H', "header", Effect::Header),
    value('d', "data", Effect::Data(Data::Text)),
    value(' ', "data-ascii", Effect::Data(Data::Text)),
    value(' ', "data-raw", Effect::Data(Data::Raw)),
    value(' ', "data-binary", Effect::Data(Data::Binary)),
    value(' ', "data-urlencode", Effect::Data(Data::Encoded)),
    value(' ', "json", Effect::Data(Data::Json)),
    flag('G', "get", Effect::Get),
    flag('I', "head", Effect::Head),
    value('u', "user", Effect::User),
    flag(' ', "basic", Effect::Nothing),
    value(' ', "oauth2-bearer", Effect::Bearer),
    value('b', "cookie", Effect::Cookie),
    value('A', "user-agent", Effect::Sets("User-Agent")),
    value('e', "referer", Effect::Sets("Referer")),
    value('r', "range", Effect::Range),
    value(' ', "url", Effect::Url),
    flag(' ', "compressed", Effect::Compressed),
    flag('k', "insecure", Effect::Insecure),
    value('m', "max-time", Effect::MaxTime),
    flag('g', "globoff", Effect::GlobOff),
    flag(':', "next", Effect::Next),
    // The output, progress, and connections.
    flag('s', "silent", Effect::Nothing),
    flag('S', "show-error", Effect::Nothing),
    flag('v', "verbose", Effect::Nothing),
    flag('i', "include", Effect::Nothing),
    flag(' ', "show-headers", Effect::Nothing),
    flag('f', "fail", Effect::Nothing),
    flag(' ', "fail-with-body", Effect::Nothing),
    flag(' ', "fail-early", Effect::Nothing),
    flag('N', "no-buffer", Effect::Nothing),
    flag('#', "progress-bar", Effect::Nothing),
    flag(' ', "no-progress-meter", Effect::Nothing),
    flag('O', "remote-name", Effect::Nothing),
    flag(' ', "remote-name-all", Effect::Nothing),
    flag('J', "remote-header-name", Effect::Nothing),
    flag('R', "remote-time", Effect::Nothing),
    flag(' ', "create-dirs", Effect::Nothing),
    flag('q', "disable", Effect::Nothing),
    flag('n', "netrc", Effect::Comment("credentials from ~/.netrc are not read: use -u")),
    flag('4', "ipv4", Effect::Nothing),
    flag('6', "ipv6", Effect::Nothing),
    flag('Z', "parallel", Effect::Nothing),
    flag(' ', "http1.1", Effect::Nothing),
    flag(' ', "keepalive", Effect::Nothing),
    flag(' ', "alpn", Effect::Nothing),
    flag(' ', "tcp-nodelay", Effect::Nothing),
    flag(' ', "tr-encoding", Effect::Nothing),
    flag(' ', "path-as-is", Effect::Nothing),
    flag(' ', "ssl-no-revoke", Effect::Nothing),
    flag(' ', "tlsv1", Effect::Nothing),
    flag(' ', "tlsv1.2", Effect::Nothing),
    flag(' ', "tlsv1.3", Effect::Nothing),
    value('o', "output", Effect::Nothing),
    value(' ', "output-dir", Effect::Nothing),
    value('w', "write-out", Effect::Nothing),
    value('D', "dump-header", Effect::Nothing),
    value('c', "cookie-jar", Effect::Nothing),
    value(' ', "stderr", Effect::Nothing),
    value(' ', "trace", Effect::Nothing),
    value(' ', "trace-ascii", Effect::Nothing),
    value(' ', "connect-timeout", Effect::Nothing),
    value(' ', "keepalive-time", Effect::Nothing),
    value(' ', "max-filesize", Effect::Nothing),
    value(' ', "parallel-max", Effect::Nothing),
    value('y', "speed-time", Effect::Nothing),
    value('Y', "speed-limit", Effect::Nothing),
    value(' ', "max-redirs", Effect::Nothing),
    value(' ', "retry", Effect::Comment("floodgate never retries: a failed request is counted as an error")),
    value(' ', "retry-delay", Effect::Nothing),
    value(' ', "retry-max-time", Effect::Nothing),
    flag(' ', "retry-all-errors", Effect::Nothing),
    flag(' ', "retry-connrefused", Effect::Nothing),
    flag('L', "location", Effect::Comment("floodgate counts redirects and does not follow them")),
    flag(' ', "location-trusted", Effect::Comment("floodgate counts redirects and does not follow them")),
    flag(' ', "http1.0", Effect::Comment(HTTP1)),
    flag('0', "http1-0", Effect::Comment(HTTP1)),
    flag(' ', "http2", Effect::Comment(HTTP1)),
    flag(' ', "http2-prior-knowledge", Effect::Comment(HTTP1)),
    flag(' ', "http3", Effect::Comment(HTTP1)),
    flag(' ', "http3-only", Effect::Comment(HTTP1)),
    value(' ', "limit-rate", Effect::Comment("floodgate reads as fast as it can")),
    value(' ', "resolve", Effect::Comment(RUN)),
    value(' ', "cacert", Effect::Comment("a plan does not have it; floodgate run has --ca-cert")),
    value('E', "cert", Effect::Comment(RUN)),
    value(' ', "key", Effect::Comment(RUN)),
    value(' ', "unix-socket", Effect::Comment(RUN)),
    value(' ', "connect-to", Effect::Comment(CONNECT_TO)),
    value('x', "proxy", Effect::Comment(PROXY)),
    value('U', "proxy-user", Effect::Comment(PROXY)),
    value(' ', "noproxy", Effect::Nothing),
    value('F', "form", Effect::Refused(MULTIPART)),
    value(' ', "form-string", Effect::Refused(MULTIPART)),
    value('T', "upload-file", Effect::Refused("use -X PUT --data-binary @FILE")),
    value('K', "config", Effect::Refused("put its options into the command")),
    value(' ', "url-query", Effect::Refused("put it into the URL")),
    value('z', "time-cond", Effect::Refused("put it into the header If-Modified-Since")),
    value('C', "continue-at", Effect::Refused("put it into the header Range")),
    flag(' ', "digest", Effect::Refused(NO_AUTH)),
    flag(' ', "ntlm", Effect::Refused(NO_AUTH)),
    flag(' ', "negotiate", Effect::Refused(NO_AUTH)),
    flag(' ', "anyauth", Effect::Refused(NO_AUTH)),
    value(' ', "aws-sigv4", Effect::Refused(NO_AUTH)),
];

/// The option with this letter.
pub fn of_letter(letter: char) -> Option<Known> {
    KNOWN.iter().find(|known| known.short == letter && letter != ' ').copied()
}

/// The option with this name, also in its negated form, which has no effect.
pub fn of_name(name: &str) -> Option<Known> {
    let find = |name: &str| KNOWN.iter().find(|known| known.long == name).copied();
    let negated = || {
        let known = find(name.strip_prefix("no-")?).filter(|known| !known.takes_value)?;
        Some(Known { effect: Effect::Nothing, ..known })
    };
    find(name).or_else(negated)
}

/// The most similar name, if any.
pub fn similar(name: &str) -> Option<&'static str> {
    let names: Vec<&'static str> = KNOWN.iter().map(|known| known.long).collect();
    nearest(name, &names)
}
