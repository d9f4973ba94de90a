//! What a scan has spent, and whether it may go on.

use std::cell::Cell;
use std::time::Instant;

use super::{ScanBudget, StoppedBy};

/// Counts entries and bytes, and looks at the clock with each.
pub(super) struct Meter {
    budget: ScanBudget,
    entries: Cell<usize>,
    bytes: Cell<u64>,
    unreadable: Cell<usize>,
    stopped: Cell<Option<StoppedBy>>,
}

impl Meter {
    pub(super) fn new(budget: ScanBudget) -> Self {
        Self {
            budget,
            entries: Cell::new(0),
            bytes: Cell::new(0),
            unreadable: Cell::new(0),
            stopped: Cell::new(None),
        }
    }

    /// Whether one more directory entry may be looked at.
    pub(super) fn take_entry(&self) -> bool {
        if self.entries.get() >= self.budget.entries {
            self.stop(StoppedBy::Entries);
        } else if self.goes_on() {
            self.entries.set(self.entries.get() + 1);
        }
        self.goes_on()
    }

    /// Whether this many more bytes may be read.
    pub(super) fn take_bytes(&self, count: usize) -> bool {
        let sum = self.bytes.get().saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if sum > self.budget.bytes {
            self.stop(StoppedBy::Bytes);
        } else if self.goes_on() {
            self.bytes.set(sum);
        }
        self.goes_on()
    }

    /// Notes that something could not be read.
    pub(super) fn skip(&self) {
        self.unreadable.set(self.unreadable.get() + 1);
    }

    /// Ends the scan, unless it has ended already.
    pub(super) fn stop(&self, by: StoppedBy) {
        if self.stopped.get().is_none() {
            self.stopped.set(Some(by));
        }
    }

    /// Whether nothing has ended the scan.
    pub(super) fn goes_on(&self) -> bool {
        if self.stopped.get().is_none() && Instant::now() >= self.budget.until {
            self.stop(StoppedBy::Time);
        }
        self.stopped.get().is_none()
    }

    pub(super) fn stopped(&self) -> Option<StoppedBy> {
        self.stopped.get()
    }

    pub(super) fn entries(&self) -> usize {
        self.entries.get()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    pub(super) fn unreadable(&self) -> usize {
        self.unreadable.get()
    }
}
