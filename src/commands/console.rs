//! Writing to stdout and stderr without waiting for the reader: one that no longer reads must not keep the process
//! from ending.
//!
//! `tracing_appender::non_blocking` does not give that. When its queue is full, the guard that drains it prints to
//! stdout (0.2.5), and waits there forever for the lock of the thread that is blocked. With room in the queue it
//! waits for a second per output, and where the system gives no thread it panics.

use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Instant;

/// How many messages wait for a reader that does not read. Further ones are lost.
const MAX_WAITING: usize = 64;

/// The stack of the thread, which only copies bytes.
const STACK: usize = 64 << 10;

enum Message {
    Bytes(Vec<u8>),
    Flush(mpsc::SyncSender<()>),
}

/// Writes to an output through a thread of its own.
#[derive(Clone)]
pub(super) struct Writer {
    open: fn() -> Box<dyn Write>,
    thread: Option<mpsc::SyncSender<Message>>,
}

impl Writer {
    /// Writes to the output that `open` returns; directly, where the system gives no thread.
    pub(super) fn new(open: fn() -> Box<dyn Write>) -> Self {
        let (sender, messages) = mpsc::sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
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

    /// Waits until everything is written, or until this time; what is not written by then is lost.
    pub(super) fn drain(&self, until: Instant) {
        let (done, drained) = mpsc::sync_channel(1);
        if let Some(thread) = &self.thread
            && thread.try_send(Message::Flush(done)).is_ok()
        {
            let _ = drained.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.thread {
            // What finds no room is lost.
            Some(thread) => drop(thread.try_send(Message::Bytes(bytes.to_vec()))),
            None => (self.open)().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
