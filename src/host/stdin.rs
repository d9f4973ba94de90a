//! Standard input, as it comes: it may be a pipe that never ends, or never begins.
//!
//! Reading it cannot be given up, so a thread of its own does it. That reads on only as fast as its pieces are
//! taken, and stays behind if the last one never comes.

use std::io::{self, ErrorKind, Read};

use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, timeout_at};

use super::files::errno_words;

const CHUNK_BYTES: usize = 64 << 10;

/// How many pieces wait to be taken.
const MAX_QUEUED_CHUNKS: usize = 4;

/// A stream that is being read.
pub(crate) struct Stdin(Receiver<io::Result<Vec<u8>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chunk {
    Bytes(Vec<u8>),
    End,
}

/// Why it cannot be read, in words that follow the name of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StdinFault {
    #[error("it had not ended when the time was over")]
    TimedOut,
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    #[error("{}", errno_words(*errno))]
    Io { errno: Option<i32> },
}

impl Stdin {
    pub(super) fn start(mut stream: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = channel(MAX_QUEUED_CHUNKS);
        let failed = sender.clone();
        let work = move || {
            loop {
                let mut piece = vec![0; CHUNK_BYTES];
                let read = match stream.read(&mut piece) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Ok(0) => return,
                    Ok(length) => {
                        piece.truncate(length);
                        Ok(piece)
                    }
                    Err(error) => Err(error),
                };
                let is_last = read.is_err();
                // Nobody is there any more if enough was read.
                if sender.blocking_send(read).is_err() || is_last {
                    return;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().stack_size(CHUNK_BYTES * 2).spawn(work) {
            // There is room: nothing was sent before.
            let _ = failed.try_send(Err(error));
        }
        Self(pieces)
    }

    /// What comes next, by `until` at the latest.
    ///
    /// # Errors
    /// Why nothing comes.
    pub(crate) async fn next(&mut self, until: Instant) -> Result<Chunk, StdinFault> {
        match timeout_at(until, self.0.recv()).await {
            Ok(Some(Ok(bytes))) => Ok(Chunk::Bytes(bytes)),
            Ok(Some(Err(error))) => Err(StdinFault::Io { errno: error.raw_os_error() }),
            Ok(None) => Ok(Chunk::End),
            Err(_) => Err(StdinFault::TimedOut),
        }
    }

    /// All of it, at most `limit` bytes, by `until` at the latest.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(crate) async fn read(mut self, limit: usize, until: Instant) -> Result<Vec<u8>, StdinFault> {
        let mut all = Vec::new();
        while let Chunk::Bytes(piece) = self.next(until).await? {
            all.extend_from_slice(&piece);
            if all.len() > limit {
                return Err(StdinFault::TooLarge(limit));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunk, Stdin, StdinFault};
    use std::io::{Cursor, Error, Read, repeat};
    use std::sync::mpsc;
    use std::time::Duration;
    use tokio::time::Instant;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    struct Fails;

    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(Error::from_raw_os_error(5))
        }
    }

    /// Gives one byte, and hangs until it is let go.
    struct Hangs(bool, mpsc::Receiver<()>);

    impl Read for Hangs {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 {
                let _ = self.1.recv();
                return Ok(0);
            }
            self.0 = true;
            buffer[0] = b'x';
            Ok(1)
        }
    }

    #[tokio::test]
    async fn a_stream_is_read_to_its_end_or_its_limit() {
        let long = vec![b'x'; 300_000];
        let read = async |limit| Stdin::start(Cursor::new(long.clone())).read(limit, soon()).await;
        assert_eq!(read(300_000).await.map(|read| read.len()), Ok(300_000));
        assert_eq!(read(299_999).await, Err(StdinFault::TooLarge(299_999)));
        assert_eq!(Stdin::start(repeat(0)).read(1 << 20, soon()).await, Err(StdinFault::TooLarge(1 << 20)));
        assert_eq!(Stdin::start(Cursor::new(Vec::new())).read(0, soon()).await, Ok(Vec::new()));
        assert_eq!(Stdin::start(Fails).read(1, soon()).await, Err(StdinFault::Io { errno: Some(5) }));
    }

    #[tokio::test]
    async fn what_has_come_is_known_although_the_rest_never_comes() {
        let (release, hangs) = mpsc::channel();
        let mut stream = Stdin::start(Hangs(false, hangs));
        assert_eq!(stream.next(soon()).await, Ok(Chunk::Bytes(b"x".to_vec())));
        assert_eq!(stream.next(Instant::now()).await, Err(StdinFault::TimedOut));
        drop(release);
        assert_eq!(stream.next(soon()).await, Ok(Chunk::End));
    }
}
