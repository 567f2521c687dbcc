//! A Redis client in its barest form: bytes out, bytes back, over a plain socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest silence.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A connection.
#[derive(Debug)]
pub struct Resp {
    stream: TcpStream,
}

impl Resp {
    /// Connects to an agent's Redis port.
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the agent listens");
        stream.set_read_timeout(Some(SILENCE_MAX)).expect("a timeout above zero");
        Self { stream }
    }

    /// Sends a command; the first line that comes back.
    pub fn ask(&mut self, words: &[&str]) -> String {
        self.send(words);
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n") && self.stream.read(&mut byte).expect("an answer") > 0 {
            answer.push(byte[0]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn send(&mut self, words: &[&str]) {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.extend([format!("${}\r\n", word.len()).as_str(), word, "\r\n"]);
        }
        self.stream.write_all(request.as_bytes()).expect("the connection stands");
    }

    /// Sends a command, and asserts that these bytes come back.
    pub fn check(&mut self, words: &[&str], expected: &str) {
        self.send(words);
        let mut answer = vec![0; expected.len()];
        let mut filled = 0;
        while filled < answer.len() {
            let read = self.stream.read(&mut answer[filled..]).expect("an answer comes");
            filled += read;
            // An answer that is shorter ends with its line; don't wait for what won't come.
            if read == 0 || !expected.as_bytes().starts_with(&answer[..filled]) {
                break;
            }
        }
        let answer = String::from_utf8_lossy(&answer[..filled]);
        assert_eq!(answer, expected, "{words:?}");
    }
}
