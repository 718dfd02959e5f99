//! The sentences: those of the guide, and what they say about waiting.

mod guide;
mod waiting;
