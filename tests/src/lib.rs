//! What the tests that cross crates and languages have in common.

#![forbid(unsafe_code)]

pub mod built;
pub mod c_library;
pub mod certificates;
pub mod dns_lab;
pub mod fetching;
pub mod isolated_server;
pub mod mail_server;
pub mod memory;
pub mod netns;
pub mod python;
pub mod route_summary;
pub mod samples;
pub mod signed_dns_lab;
pub mod sink;
pub mod snippets;

/// The Rust snippets of the documents.
#[cfg(doctest)]
#[doc = include_str!(concat!(env!("OUT_DIR"), "/snippets.md"))]
pub struct RustSnippets;
