//! Valid inputs for each parser, so that a mutation in one place still reaches the code behind it.

use crate::stats::histogram::Histogram;

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub fn registers() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"node_id":"d1","node_IP":"10.0.0.1","message_type":"DRIVER_NODE_REGISTER","epoch":1750000000000,"version":"0.1.0","cores":8,"max_connections":1000}"#,
        r#"{"node_id":7,"node_ip":"10.0.0.1","message_type":"DRIVER_NODE_REGISTER"}"#,
    ])
}

pub fn plans() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":"10","message_count_per_driver":5.0}"#,
        r#"{"test_id":"t","test_type":"avalanche","target_throughput":1000,"duration_ms":60000,"warmup_ms":500,"connections":64,"timeout_ms":1000,"drivers":[{"node_id":"a","epoch":1},{"node_id":"b","epoch":"2"}]}"#,
        r#"{"test_id":"t","test_type":"AVALANCHE","stages":[{"duration_ms":1000,"rate":100},{"duration":"2000","rate":0}],"target_url":"http://h:80/p?q","request":{"method":"POST","headers":[["a","b"]],"body":"x"},"thresholds":["p99 > 250ms"]}"#,
    ])
}

pub fn triggers() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"test_id":"t","trigger":"YES","start_at_ms":1750000000000.5}"#,
        r#"{"test_id":"t","trigger":"STOP","reason":"enough"}"#,
        r#"{"test_id":1,"trigger":"yes"}"#,
    ])
}

pub fn heartbeats() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"node_id":"d1","heartbeat":"YES","timestamp":1750000000000.25,"epoch":1750000000000,"state":"running","test_id":"t","plan_hash":"00ff","clock_offset_ms":0.5,"clock_error_ms":0.1}"#,
        r#"{"node_id":"d1","heartbeat":"YES","timestamp":"2024-01-01 00:00:00"}"#,
    ])
}

fn sample() -> Histogram {
    let mut histogram = Histogram::new();
    (0..300u64).for_each(|n| histogram.record_us(n * n * 37 + 1));
    histogram
}

pub fn histograms() -> Vec<Vec<u8>> {
    let mut seeds = crate::stats::histogram::fuzzing::seeds();
    seeds.extend([Histogram::new(), sample()].iter().filter_map(|h| h.encode().ok().map(String::into_bytes)));
    seeds
}

pub fn reports() -> Vec<Vec<u8>> {
    let histogram = sample().encode().unwrap_or_default();
    let numbered = |rest: &str| {
        format!(
            r#"{{"node_id":"d1","test_id":"t","report_id":"r","metrics":{{"mean_latency":1,"median_latency":1.5,"min_latency":0.1,"max_latency":9}},"epoch":1,"sequence":3,"final":true,"origin_ms":1750000000000,"first_send_ms":1750000000000.5,"elapsed_ms":900,"counts":{{"planned":300,"sent":300,"never_sent":0,"queued":0,"responses":300,"errors":{{"timeout":0}},"status":{{"200":300}},"bytes_received":1200,"warmup_sent":0}},"histograms":{{"latency":"{histogram}","service":"{histogram}","lag":"{histogram}","connect":"{histogram}","tls":"{histogram}"}}{rest}}}"#
        )
    };
    let mut seeds = texts(&[
        r#"{"node_id":"old","test_id":"t","report_id":"1","metrics":{"mean_latency":"4.5","Max_latency":9}}"#,
    ]);
    seeds.push(numbered("").into_bytes());
    seeds.push(
        numbered(r#","target_seen":{"before":1,"after":301,"instance":"x"},"target_restarted":false"#)
            .into_bytes(),
    );
    seeds
}

/// Requests to the endpoints, from ordinary and unknown clients.
pub fn requests() -> Vec<Vec<u8>> {
    texts(&[
        "GET /ping?x=1 HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n",
        "POST /stop HTTP/1.1\r\nHost: [::1]\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
        "\r\nHEAD http://u:1/p HTTP/1.1\r\nHost: t\r\nConnection: upgrade, close\r\nUpgrade: x\r\n\r\n",
    ])
}

pub fn responses() -> Vec<Vec<u8>> {
    texts(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nServer: x\r\n\r\npong",
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\n\r\nuntil the end",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ])
}

pub fn chunks() -> Vec<Vec<u8>> {
    texts(&[
        "5\r\nhello\r\n0\r\n\r\n",
        "a;x=\"y\"\r\n0123456789\r\n1\r\nz\r\n0\r\nTrailer: v\r\n\r\n",
        "A\n0123456789\n0\n\n",
    ])
}

pub fn frames() -> Vec<Vec<u8>> {
    vec![
        b"\0\0\0\x04\0\0\0\x07".to_vec(),
        b"\0\0\0\0\0\0\0\x01x".to_vec(),
        b"HTTP/1.1 400".to_vec(),
        vec![21, 3, 3, 0],
    ]
}

/// Kafka responses of several kinds, with a correlation id.
pub fn answers() -> Vec<Vec<u8>> {
    let mut produced = vec![0, 0, 0, 7, 0, 2, 2, b't', 2, 0, 0, 0, 0, 0, 0];
    produced.extend([0; 24]);
    produced.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut fetched = vec![0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 3, 0, 0];
    fetched.extend([0; 16]);
    fetched.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, 1, 2, 3]);
    let versions = [&[0, 0, 0, 7, 0, 0, 0, 0, 0, 2][..], &[0, 0, 0, 3, 0, 9, 0, 1, 0, 4, 0, 12]].concat();
    let metadata = b"\0\0\0\x07\0\0\0\0\0\0\0\x01\0\0\0\x01\0\x01h\0\0\x23\x84\xff\xff\xff\xff\0\0\0\x01\0\
        \0\0\x01\0\0\0\x01t\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01"
        .to_vec();
    vec![produced, fetched, versions, metadata]
}

/// A whole test, and a record that is not JSON.
pub fn saved_records() -> Vec<Vec<u8>> {
    let record = |topic: &str, value: &str| {
        format!(
            r#"{{"topic":"{topic}","partition":0,"offset":1,"append_ms":1000,"key":"a","value":{value}}}"#
        )
    };
    let plan = r#"{"test_id":"t","test_type":"TSUNAMI","previous":"","drivers":[{"node_id":"a","epoch":1}]}"#;
    let end = r#"{"test_id":"t","trigger":"END","ended_at_ms":5,"state":"completed","started_at_ms":1}"#;
    let whole = [record("test_config", plan), record("metrics", end)].join("\n") + "\n";
    let other = r#"{"topic":"heartbeat","offset":2,"append_ms":null,"key":"","value_base64":"/wA="}"#;
    vec![whole.into_bytes(), other.as_bytes().to_vec()]
}

pub fn urls() -> Vec<Vec<u8>> {
    texts(&[
        "http://127.0.0.1:8000/ping?q=1",
        "https://user:pass@example.com/%41#f",
        "http://[::1]:80/",
        "http://h",
    ])
}

pub fn templates() -> Vec<Vec<u8>> {
    texts(&[
        "/search?q={{users.term|url}}&page={{int(-1,20)}}",
        "{\"a\":{\"b\":\"{{choice(a,'b, c',\"}}\")|json}}{{random(7)|base64}}\"}}",
        "{{counter}} {{uuid}} {{now_ms}} {{ now_iso | url }} {{driver}} {{'{{'}}",
    ])
}

pub fn feeds() -> Vec<Vec<u8>> {
    texts(&[
        "id,term\r\n1,\"a \"\"b\"\"\nc\"\r\n2,d\r\n",
        "{\"id\": 1.50, \"term\": \"\\u00fc\", \"x\": null}\n\n{\"term\": [1], \"id\": {}, \"x\": true}",
        "\u{feff}id;term\n1;2",
    ])
}

pub fn curl_commands() -> Vec<Vec<u8>> {
    texts(&[
        "curl 'https://h:8/a?b' \\\n -H 'A: b' -XPUT --data-raw $'{\\u0021\\'}' --compressed -b a=b; curl http://h/x",
        "curl -sSLku a:b -G http://h/ --data-urlencode \"a=\\$b\" -m 2 2>/dev/null | jq . && curl h -I --next h -d a",
    ])
}

pub fn plan_files() -> Vec<Vec<u8>> {
    texts(&[
        "target_url = \"http://h/\"\nrate = 2_000\nduration = '2m'\nfail_if = [\"p99 > 1s\"]\nstages = \"1s:5\"",
        "ab = [\"http://a/\", \"http://b/\"]\r\n[request]\r\nmethod = \"POST\"\r\nheaders = { auth = \"é\" }\r\nbody = 7",
        "[[stages]]\nduration = \"30s\"\nrate = 0x5\n[request.headers]\nx = \"\"\"\ny\"\"\"\n",
    ])
}

pub fn flags() -> Vec<Vec<u8>> {
    texts(&["250us", "1.5s", "2m", "1%", "0.25", "30s:100,1m:500", "1000", "X-A: b", "host:80:127.0.0.1"])
}
