//! What a scan has spent, and whether it may go on.

use std::cell::Cell;
use std::time::Instant;

use super::{ScanBudget, StoppedBy};

/// Counts entries and bytes, and looks at the clock with each.
pub(super) struct Meter {
    budget: ScanBudget,
    pub(super) entries: Cell<usize>,
    pub(super) bytes: Cell<u64>,
    /// Whether the application cannot read either what cannot be read here.
    reads_as_application: bool,
    pub(super) unreadable: Cell<usize>,
    /// How much of the unreadable the application may be able to read.
    pub(super) unseen: Cell<usize>,
    stopped: Cell<Option<StoppedBy>>,
    /// Whether something was not read to its end, for its size.
    pub(super) is_cut: Cell<bool>,
}

/// Folders that only root reads in most images, and that hold no application.
const EXPECTED_UNREADABLE: [&[u8]; 4] = [b"/root", b"/var/cache", b"/etc/ssl/private", b"/lost+found"];

impl Meter {
    pub(super) fn new(budget: ScanBudget, is_like: bool) -> Self {
        Self {
            budget,
            entries: Cell::new(0),
            bytes: Cell::new(0),
            reads_as_application: is_like,
            unreadable: Cell::new(0),
            unseen: Cell::new(0),
            stopped: Cell::new(None),
            is_cut: Cell::new(false),
        }
    }

    /// Whether one more directory entry may be looked at.
    pub(super) fn take_entry(&self) -> bool {
        if self.entries.get() >= self.budget.entries {
            self.stop(StoppedBy::Entries);
        } else if self.may_continue() {
            self.entries.set(self.entries.get() + 1);
        }
        self.may_continue()
    }

    /// Whether this many more bytes may be read.
    pub(super) fn take_bytes(&self, count: usize) -> bool {
        let sum = self.bytes.get().saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if sum > self.budget.bytes {
            self.stop(StoppedBy::Bytes);
        } else if self.may_continue() {
            self.bytes.set(sum);
        }
        self.may_continue()
    }

    /// Notes that what is at this path could not be read.
    pub(super) fn note_unreadable(&self, path: &[u8]) {
        self.unreadable.set(self.unreadable.get() + 1);
        let is_missed = |folder: &&[u8]| !path.strip_prefix(*folder).is_some_and(is_end_or_below);
        if !self.reads_as_application && EXPECTED_UNREADABLE.iter().all(is_missed) {
            self.unseen.set(self.unseen.get() + 1);
        }
    }

    /// Ends the scan, unless it has ended already.
    pub(super) fn stop(&self, by: StoppedBy) {
        if self.stopped.get().is_none() {
            self.stopped.set(Some(by));
        }
    }

    /// Whether nothing has ended the scan.
    pub(super) fn may_continue(&self) -> bool {
        if self.stopped.get().is_none() && Instant::now() >= self.budget.until {
            self.stop(StoppedBy::Time);
        }
        self.stopped.get().is_none()
    }

    /// What kept the scan from seeing everything.
    pub(super) fn stopped(&self) -> Option<StoppedBy> {
        self.stopped.get().or_else(|| self.is_cut.get().then_some(StoppedBy::Bytes))
    }
}

fn is_end_or_below(rest: &[u8]) -> bool {
    rest.is_empty() || rest.starts_with(b"/")
}
