//! Writing to stdout and stderr without being held up: a reader that no longer reads may not keep
//! the process from its end.

use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Instant;

/// How many messages wait for a reader that does not read; further ones are lost.
const WAITING: usize = 64;

enum Message {
    Bytes(Vec<u8>),
    Flush(mpsc::SyncSender<()>),
}

/// A way to an output, through a thread of its own.
#[derive(Clone)]
pub(crate) struct Writer {
    open: fn() -> Box<dyn Write>,
    thread: Option<mpsc::SyncSender<Message>>,
}

impl Writer {
    /// Writes to what `open` gives; directly, where the system gives no thread.
    pub(crate) fn new(open: fn() -> Box<dyn Write>) -> Self {
        let (sender, messages) = mpsc::sync_channel(WAITING);
        let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            let mut out = open();
            for message in messages {
                match message {
                    // A reader that went away is no reason to fail.
                    Message::Bytes(bytes) => drop(out.write_all(&bytes).and_then(|()| out.flush())),
                    Message::Flush(done) => drop(done.send(())),
                }
            }
        });
        Self { open, thread: thread.ok().map(|_| sender) }
    }

    /// Waits until everything is written, but not longer than until then.
    pub(crate) fn drain(&self, until: Instant) {
        let (done, drained) = mpsc::sync_channel(1);
        if let Some(thread) = &self.thread
            && thread.try_send(Message::Flush(done)).is_ok()
        {
            // If it has not drained by then, the rest is lost.
            let _ = drained.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.thread {
            // What finds no place is lost: nothing may be held up by whoever does not read.
            Some(thread) => drop(thread.try_send(Message::Bytes(bytes.to_vec()))),
            None => (self.open)().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
