//! A terminal that a program runs in, and what stands on its screen.
//!
//! Bytes go through a terminal emulator, so modes that were left on are seen as left on.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use vt100::{MouseProtocolMode, Parser};

use crate::clock::{now, pause, wait_for};
use crate::command::executable;

/// How long a program may take to end when asked.
const END_MAX: Duration = Duration::from_secs(45);

/// A program in a terminal of its own. Dropping it kills the program.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    parser: Arc<Mutex<Parser>>,
    /// Our end; without it, the terminal is gone. The reader holds it open too, until it is told.
    end: Option<(Box<dyn Write + Send>, Box<dyn MasterPty + Send>)>,
    gone: Arc<AtomicBool>,
    /// Bytes that the program has written.
    bytes: Arc<AtomicU64>,
}

impl Terminal {
    /// Starts `evenkeel` with these words in a terminal of this size.
    pub fn start(words: &[&str], size: (u16, u16), folder: &Path) -> Self {
        Self::start_program(executable(), words, size, folder)
    }

    /// Starts a program with these words in a terminal of this size.
    pub fn start_program(
        program: &Path,
        words: &[&str],
        (columns, rows): (u16, u16),
        folder: &Path,
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal can be had");
        let mut command = CommandBuilder::new(program);
        command.args(words);
        command.env("TERM", "xterm-256color");
        command.env("TMPDIR", folder);
        // A panic is told in a line or two.
        command.env("RUST_BACKTRACE", "0");
        command.env("XDG_STATE_HOME", folder);
        command.env("XDG_CONFIG_HOME", folder);
        command.env_remove("EVENKEEL_CONNECT");
        let child = pair.slave.spawn_command(command).expect("the executable starts");
        let parser = Arc::new(Mutex::new(Parser::new(whole(rows), whole(columns), 0)));
        let reader = pair.master.try_clone_reader().expect("the terminal can be read");
        let gone = Arc::new(AtomicBool::new(false));
        let bytes = Arc::new(AtomicU64::new(0));
        read_on(reader, parser.clone(), gone.clone(), bytes.clone());
        let keys = pair.master.take_writer().expect("the terminal can be written to");
        Self { child, parser, end: Some((keys, pair.master)), gone, bytes }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let (to_program, _) = self.end.as_mut().expect("the terminal is there");
        to_program.write_all(keys.as_bytes()).expect("the program reads its keys");
        to_program.flush().expect("the program reads its keys");
    }

    /// The window gets another size.
    pub fn resize(&mut self, (columns, rows): (u16, u16)) {
        let (_, master) = self.end.as_ref().expect("the terminal is there");
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let mut parser = self.parser.lock().expect("no holder of this lock panics");
        parser.screen_mut().set_size(whole(rows), whole(columns));
        master.resize(size).expect("a terminal can be resized");
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::TERM).expect("it is our child");
    }

    /// The terminal goes away, as when its window is closed: once the program writes again.
    pub fn hang_up(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        self.end = None;
    }

    /// How many bytes the program has written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.with(|parser| parser.screen().contents())
    }

    /// The line that holds all of these words.
    pub fn line_with(&self, words: &[&str]) -> Option<String> {
        let text = self.text();
        text.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
    }

    /// Waits until the screen is as asked, and shows it when it never is.
    pub fn wait<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut look: impl FnMut(&str) -> Option<T>,
    ) -> T {
        let over = now() + deadline;
        loop {
            let text = self.text();
            if let Some(found) = look(&text) {
                return found;
            }
            assert!(now() < over, "not within {deadline:?}: {what}; the screen is\n{text}");
            pause();
        }
    }

    /// Whether the program has the terminal: it draws on the alternate screen.
    pub fn is_taken(&self) -> bool {
        self.with(|parser| parser.screen().alternate_screen())
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it was started")
    }

    /// Waits for the program's end; its exit code.
    pub fn end(&mut self) -> u32 {
        wait_for("the program ends", END_MAX, || {
            self.child.try_wait().expect("it is our child").map(|status| status.exit_code())
        })
    }

    /// Asserts that the terminal is as it was before the program took it.
    pub fn assert_given_back(&self) {
        // The last bytes may still be on their way from the terminal to us.
        wait_for("the terminal is given back", END_MAX, || (!self.is_taken()).then_some(()));
        wait_for("the terminal's modes are off", END_MAX, || {
            self.with(|parser| {
                let screen = parser.screen();
                let plain = !screen.hide_cursor()
                    && !screen.bracketed_paste()
                    && screen.mouse_protocol_mode() == MouseProtocolMode::None;
                plain.then_some(())
            })
        });
    }

    fn with<T>(&self, look: impl FnOnce(&Parser) -> T) -> T {
        look(&self.parser.lock().expect("no holder of this lock panics"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn whole(length: u16) -> NonZero<u16> {
    NonZero::new(length).expect("a screen has rows and columns")
}

/// Feeds the emulator until the terminal closes.
#[expect(clippy::disallowed_methods, reason = "a pseudo-terminal can only be read by blocking")]
fn read_on(
    mut reader: Box<dyn Read + Send>,
    parser: Arc<Mutex<Parser>>,
    gone: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
) {
    std::thread::spawn(move || {
        let mut bytes = [0; 8 << 10];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            if gone.load(Ordering::Relaxed) {
                return;
            }
            written.fetch_add(count as u64, Ordering::Relaxed);
            parser.lock().expect("no holder of this lock panics").process(&bytes[..count]);
        }
    });
}
