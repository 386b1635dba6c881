//! Stores on a real disk: what is appended is found again, by whoever opens the store next.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

mod churn;
mod disks;
mod faults;
mod levels;
mod plugins;
mod reopening;
mod size;
mod support;
mod tools;
mod transfer;
mod upgrade;
