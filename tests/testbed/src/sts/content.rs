//! The bodies of STS's answers: whole, endless, or broken off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The body of an answer.
pub(super) enum Content {
    Whole(Option<Bytes>),
    /// Spaces without end, nearly.
    Repeated {
        left: usize,
    },
    /// Fails after its start has been flushed.
    Broken {
        start: Option<Bytes>,
        flushed: bool,
    },
}

impl Content {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    pub(super) fn broken(start: &'static str) -> Self {
        Self::Broken { start: Some(start.into()), flushed: false }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        const CHUNK: &[u8] = &[b' '; 64 * 1024];
        let next = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Repeated { left: 0 } => None,
            Self::Repeated { left } => {
                *left -= CHUNK.len();
                Some(Bytes::from_static(CHUNK))
            }
            Self::Broken { start, flushed } => match start.take() {
                Some(start) => Some(start),
                None if *flushed => {
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
                None => {
                    // The server flushes what it has when a body makes it wait.
                    *flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            _ => SizeHint::default(),
        }
    }
}
