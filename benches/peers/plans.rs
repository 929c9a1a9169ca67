//! Clients that send a mix of requests: three constant ones, or ones that differ each time.
//!
//! The mix is the same for all: of nine requests, six search, two read a product and one posts an order.

use super::calls::{self, Load, words};
use super::counts;
use super::tools::Tool;
use std::path::PathBuf;

/// Rows of the feed.
const ROWS: usize = 10_000;

const CONSTANT: &str = r#"
[[requests]]
name = "search"
weight = 6
url = "/search?q=shoes&page=7"

[[requests]]
name = "product"
weight = 2
url = "/products/17"

[[requests]]
name = "order"
url = "/orders"
headers = { content-type = "application/json" }
body = '{"user": "u000017", "items": 3}'
"#;

const PATCHED: &str = r#"
[request]
headers = { x-request-id = "{{uuid}}" }
"#;

const VARIED: &str = r#"
[feeds.users]
file = "users.csv"

[[requests]]
name = "search"
weight = 6
url = "/search?q={{users.term|url}}&page={{int(1,20)}}"

[[requests]]
name = "product"
weight = 2
url = "/products/{{counter}}"

[[requests]]
name = "order"
url = "/orders"
headers = { content-type = "application/json" }
body = '{"user": "{{users.id|json}}", "items": {{int(1,5)}}}'
"#;

const CHECKED: &str = r#"
[request]
expect = { status = 200, contains = "-the end-" }
"#;

/// The same requests for wrk, made once.
const LUA_CONSTANT: &str = r#"
local made, n = {}, 0
init = function(args)
  local search = wrk.format("GET", "/search?q=shoes&page=7")
  local product = wrk.format("GET", "/products/17")
  local order = wrk.format("POST", "/orders", {["content-type"] = "application/json"},
    '{"user": "u000017", "items": 3}')
  made = {search, product, search, search, order, search, search, product, search}
end
request = function()
  n = n + 1
  return made[n % 9 + 1]
end
"#;

/// The same for wrk, made for each request.
const LUA_VARIED: &str = r#"
local n, users = 0, {}
init = function(args)
  for i = 0, 9999 do users[i] = string.format("u%06d", i) end
end
local kinds = {1, 2, 1, 1, 3, 1, 1, 2, 1}
request = function()
  n = n + 1
  local kind = kinds[n % 9 + 1]
  if kind == 1 then
    return wrk.format("GET", "/search?q=term%20" .. n % 10000 .. "&page=" .. math.random(1, 20))
  elseif kind == 2 then
    return wrk.format("GET", "/products/" .. n)
  end
  return wrk.format("POST", "/orders", {["content-type"] = "application/json"},
    '{"user": "' .. users[n % 10000] .. '", "items": ' .. math.random(1, 5) .. '}')
end
"#;

/// The same for k6; the address comes from the environment.
const K6_VARIED: &str = r#"
import http from 'k6/http';
import { SharedArray } from 'k6/data';
const user = (i) => 'u' + String(i).padStart(6, '0');
const users = new SharedArray('users', () => [...Array(10000).keys()].map(user));
const kinds = [1, 2, 1, 1, 3, 1, 1, 2, 1];
const origin = __ENV.ORIGIN, json = { headers: { 'content-type': 'application/json' } };
let n = __VU * 1000000;
const upTo = (most) => 1 + Math.floor(Math.random() * most);
export default function () {
  n += 1;
  const kind = kinds[n % 9];
  const search = `${origin}/search?q=term%20${n % 10000}&page=${upTo(20)}`;
  if (kind === 1) http.get(search, { tags: { name: 'search' } });
  else if (kind === 2) http.get(`${origin}/products/${n}`, { tags: { name: 'product' } });
  else http.post(`${origin}/orders`, `{"user": "${users[n % 10000]}", "items": ${upTo(5)}}`, json);
}
export function handleSummary(data) { return { stdout: JSON.stringify(data) }; }
"#;

/// All of them, in table order; those whose program is not installed are left out later.
pub fn tools() -> Vec<Tool> {
    let floodgate = env!("CARGO_BIN_EXE_floodgate");
    let own = |name, build| Tool::new(name, floodgate, build, counts::floodgate);
    vec![
        own("floodgate", calls::floodgate),
        own("floodgate: three constant requests", |program, load| plan(program, load, "constant", CONSTANT)),
        own("floodgate: a new id in each request", |program, load| plan(program, load, "patched", PATCHED)),
        own("floodgate: three requests, data from a feed", |program, load| {
            plan(program, load, "varied", VARIED)
        }),
        own("floodgate: a text in each response", |program, load| plan(program, load, "checked", CHECKED)),
        Tool::new("wrk", "wrk", calls::wrk, counts::wrk),
        Tool::new("wrk: three constant requests", "wrk", |p, load| lua(p, load, LUA_CONSTANT), counts::wrk),
        Tool::new(
            "wrk: three requests, data from Lua",
            "wrk",
            |p, load| lua(p, load, LUA_VARIED),
            counts::wrk,
        ),
        Tool::new("oha: URLs from a file", "oha", oha, counts::oha),
        Tool::new("k6: three requests, data from a script", "k6", k6, counts::k6),
    ]
}

/// A file beside those of the other clients. If it cannot be written, the client itself reports that.
fn file(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join("floodgate-bench-plan");
    let _ = std::fs::create_dir_all(&folder);
    let path = folder.join(name);
    let _ = std::fs::write(&path, text);
    path
}

fn plan(program: &str, load: &Load, name: &str, text: &str) -> Vec<String> {
    let rows: String = (0..ROWS).map(|row| format!("u{row:06},term {row}\n")).collect();
    file("users.csv", &format!("id,term\n{rows}"));
    let mut command = calls::floodgate(program, load);
    let after_run = command.iter().position(|word| word == "run").map_or(0, |at| at + 1);
    command.insert(after_run, file(&format!("{name}.toml"), text).display().to_string());
    command
}

fn lua(program: &str, Load { url, connections, seconds, .. }: &Load, text: &str) -> Vec<String> {
    let name = if text == LUA_CONSTANT { "constant.lua" } else { "varied.lua" };
    let script = file(name, text);
    words(&format!("{program} -t1 -c{connections} -d{seconds}s --latency -s {} {url}", script.display()))
}

/// oha takes a random line for each request and sends no bodies.
fn oha(program: &str, load: &Load) -> Vec<String> {
    let Load { url, connections, seconds, .. } = load;
    let origin = url.trim_end_matches("/ping");
    let line = |n: usize| match n % 9 {
        0 | 4 => format!("{origin}/products/{n}\n"),
        8 => format!("{origin}/orders\n"),
        _ => format!("{origin}/search?q=term%20{n}&page={}\n", 1 + n % 20),
    };
    let list = file("urls.txt", &(0..ROWS).map(line).collect::<String>());
    words(&format!(
        "{program} -z {seconds}s -c {connections} --no-tui --output-format json --urls-from-file {}",
        list.display()
    ))
}

fn k6(program: &str, Load { url, connections, seconds, .. }: &Load) -> Vec<String> {
    let script = file("varied.js", K6_VARIED);
    let origin = url.trim_end_matches("/ping");
    words(&format!(
        "{program} run --quiet --no-usage-report -e ORIGIN={origin} --vus {connections} --duration {seconds}s {}",
        script.display()
    ))
}
