//! `libmapagent`: the C interface of mapagent. Nothing but translation: it decides nothing about mail.
//!
//! The conventions stand at the top of `include/mapagent.h`, which is made from these files: the comment on an exported item *is*
//! its documentation in C, so it speaks C. Three things hold for every exported function:
//!
//! - its whole body runs inside [`boundary`], because a panic that leaves it would abort the host program;
//! - pointers from C are read by [`pointer`] only;
//! - what it returns is borrowed from a handle, or a handle of the caller's own.

#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
#![allow(
    unsafe_code,
    reason = "C hands over raw pointers; this is the one crate where they are allowed"
)]
#![allow(non_camel_case_types, reason = "the names are those of C")]
#![allow(
    clippy::missing_safety_doc,
    clippy::doc_markdown,
    reason = "the comments are copied into the C header, and C has no such headings and no such quotes"
)]

// In the order of the header, which follows the order of the modules.
pub mod send;

pub mod reply;

pub mod config;

pub mod agent;

pub mod message;

pub mod progress;

pub mod queue;

pub mod dkim;

pub mod report;

pub mod session;

pub mod version;

mod at_exit;
mod boundary;
mod guest;
mod pointer;
mod refusal;
#[cfg(any(fuzzing, test))]
pub mod storm;
mod text;
