//! The HTTP port: what is no request is answered as such, and ends the connection.

use evenkeel_tests::Stranger;

use super::Calm;

#[test]
fn what_is_no_request_is_answered_and_told_once() {
    let (calm, http) = Calm::begin();
    let endless = [b"GET /health HTTP/1.1\r\nx: ", &b"x".repeat(100_000)[..]].concat();
    for (bytes, status, why) in [
        (&b"\x00\xff\x1bGARBAGE\r\n\r\n"[..], "400 Bad Request", "invalid HTTP method parsed"),
        (b"GET / HTTP/9.9\r\n\r\n", "400 Bad Request", "invalid HTTP version parsed"),
        (&endless, "431 Request Header Fields Too Large", "message head is too large"),
    ] {
        let mut client = Stranger::saying(&http, bytes);
        let heard = client.rest();
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{heard}");
        calm.told_of(&client, &format!("http client: {why}"));
    }
    calm.counted("invalid HTTP version parsed", || {
        Stranger::saying(&http, b"GET / HTTP/9.9\r\n\r\n").rest();
    });
    let mut client = Stranger::saying(&http, b"GET /health HTTP/1.0\r\n\r\n");
    assert!(client.rest().starts_with(b"HTTP/1.0 200 OK"));
    calm.end(20);
}
