//! Why a message cannot be built.

use super::encode::Unfit;
use crate::text::named;

/// How deep parts and messages may be nested: further than any program nests them, and not so far that reading or dropping
/// them takes a stack.
pub const MAX_NESTING: usize = 50;

/// Why what a [`Builder`](super::Builder) was given is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A media type for data that only a message or several parts can have. Make them of their parts:
    /// [`Part::message`](super::Part::message), [`Part::multipart`](super::Part::multipart). A `message/…` cannot be
    /// encoded either.
    #[error("{} is not a type that encoded data can have", named(.0))]
    Composite(String),
    /// A `Content-ID` twice, so that a reference to it leads to either.
    #[error("the content identifier <{}> stands twice", named(.0))]
    ContentIdTwice(String),
    /// A group in `From`. Name the persons.
    #[error("there is a group in {0}, where only persons can stand")]
    Group(&'static str),
    /// Something is to stand in the HTML, and there is no HTML: attach it instead.
    #[error("a part is to be shown in the HTML, and there is none")]
    InlineWithoutHtml,
    /// A part to stand in the HTML has no `Content-ID`, so that nothing can refer to it.
    #[error("a part to be shown in the HTML has no content identifier to refer to it by")]
    NoContentId,
    /// Nobody it is from.
    #[error("there is no address in {0}")]
    NoFrom(&'static str),
    /// A multipart of no parts.
    #[error("a multipart has no parts")]
    NoParts,
    /// Neither To nor Cc nor Bcc.
    #[error("there is no recipient")]
    NoRecipient,
    /// Several authors and no `Sender`.
    // https://www.rfc-editor.org/rfc/rfc5322#section-3.6.2
    // > If the from field contains more than one mailbox specification in the mailbox-list, then the sender field,
    // > containing the field name "Sender" and a single mailbox specification, MUST appear in the message.
    #[error("there are several addresses in {0}, and the one who sends it is not named")]
    NoSender(&'static str),
    /// Parts in parts in parts, or messages in messages: more than [`MAX_NESTING`].
    #[error("parts are nested more than {MAX_NESTING} deep")]
    TooDeep,
    /// [`Builder::body`](super::Builder::body) beside a text, HTML or something in it.
    #[error("a body made of parts and a text cannot both be the body")]
    TwoBodies,
    /// A part does not fit into the encoding that was asked for.
    #[error("{}: {why}", named(.part))]
    Unfit {
        /// Which.
        part: String,
        /// Why.
        why: Unfit,
    },
}
