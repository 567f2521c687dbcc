//! The terminal: taken, drawn to, and always given back: at the end, at a signal, after a panic.

use std::io::{Write, stdout};
use std::mem::ManuallyDrop;

use color_eyre::eyre::Result;
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use ratatui::{DefaultTerminal, Frame};

/// The terminal while the console has it. Dropping it gives it back as well as can be: a signal
/// ends the console by dropping it, and the terminal itself may be gone.
pub(super) struct Screen {
    /// Never dropped: ratatui's drop writes to the terminal, and panics when that is gone.
    terminal: ManuallyDrop<DefaultTerminal>,
    given_back: bool,
    /// The last frame, to be exported.
    last: Buffer,
}

impl Screen {
    /// Takes the terminal. A panic from here on gives it back before it is reported.
    pub(super) fn open() -> Result<Self> {
        let terminal = ratatui::try_init()?;
        let restore_rest = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // The hook that ratatui has set leaves these two modes on.
            let _ = execute!(stdout(), DisableMouseCapture, DisableBracketedPaste);
            restore_rest(panic);
        }));
        execute!(stdout(), EnableMouseCapture, EnableBracketedPaste)?;
        Ok(Self {
            terminal: ManuallyDrop::new(terminal),
            given_back: false,
            last: Buffer::default(),
        })
    }

    /// Gives the terminal back.
    pub(super) fn close(mut self) -> Result<()> {
        self.given_back = true;
        self.terminal.show_cursor()?;
        release()
    }

    /// The terminal's size.
    pub(super) fn size(&self) -> Result<Size> {
        Ok(self.terminal.size()?)
    }

    /// Draws one frame; the terminal shows it whole or not at all.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        execute!(stdout(), BeginSynchronizedUpdate)?;
        let last = &mut self.last;
        let drawn = self.terminal.draw(render).map(|frame| last.clone_from(frame.buffer));
        execute!(stdout(), EndSynchronizedUpdate)?;
        Ok(drawn?)
    }

    /// What is on the terminal.
    pub(super) fn last_frame(&self) -> &Buffer {
        &self.last
    }

    /// Forgets what is on the terminal, so that the next frame is drawn whole.
    pub(super) fn clear(&mut self) -> Result<()> {
        Ok(self.terminal.clear()?)
    }

    /// Puts text on the clipboard of the terminal, which is the right one over SSH.
    pub(super) fn copy(text: &str) -> Result<()> {
        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))?;
        Ok(stdout().flush()?)
    }

    /// Gives the terminal back and stops this process until the shell resumes it.
    pub(super) async fn suspend(&mut self) -> Result<()> {
        self.terminal.show_cursor()?;
        release()?;
        // Resumed: what follows is a fresh terminal.
        stop_self()?;
        tokio::task::yield_now().await;
        crossterm::terminal::enable_raw_mode()?;
        execute!(
            stdout(),
            crossterm::terminal::EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste
        )?;
        self.terminal.hide_cursor()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !self.given_back {
            // There is nobody to tell when the terminal has gone.
            let _ = self.terminal.show_cursor();
            let _ = release();
        }
    }
}

fn release() -> Result<()> {
    execute!(stdout(), DisableMouseCapture, DisableBracketedPaste)?;
    ratatui::try_restore()?;
    Ok(())
}

/// SIGTSTP to the whole process group, as the terminal itself would send it.
fn stop_self() -> Result<()> {
    let group = rustix::process::getpgrp();
    Ok(rustix::process::kill_process_group(group, rustix::process::Signal::TSTP)?)
}
