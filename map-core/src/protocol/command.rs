//! The commands of MAP 3.2 and 3.3, and ours for what MAP has none for.

use crate::text::quoted;
use std::fmt;
use std::str::FromStr;

/// What a client says to the MAP server (MAP 3.2), or the MAP server to its log (MAP 3.3).
///
/// ```text
/// command  = keyword ": <" field ">."      ; CMD_FROM, CMD_TO, CMD_SUBJECT, CMD_CONTENT
///          / keyword "."                   ; CMD_END, CMD_SMTP_CONN, …
/// field    = *OCTET                        ; ">." and line ends included: the last ">." ends it
/// ```
///
/// In a call a command is one string, so a field may hold anything and needs no escaping; for a stream see
/// [`CommandReader`](super::CommandReader). Read are also the slips of the document, for what they mean: a blank for
/// the first underscore (`CMD SUBJECT`), `CMD_SMTPECONN` and its like, and a missing blank after the colon. Blanks
/// and line ends around a command do not count. Whether a field is an address, and the blanks around one, is the
/// business of [`check`](super::check()).
///
/// # Example
/// ```
/// use map_core::protocol::Command;
///
/// let command: Command = "CMD SUBJECT: <a>.b>.".parse()?;
/// assert_eq!(command, Command::Subject(b"a>.b".to_vec()));
/// assert_eq!(command.to_string(), "CMD_SUBJECT: <a>.b>.");
/// # Ok::<(), map_core::protocol::CommandError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// `CMD_FROM`: the sender's address.
    From(Vec<u8>),
    /// `CMD_TO`: the recipient's address.
    To(Vec<u8>),
    /// `CMD_SUBJECT`
    Subject(Vec<u8>),
    /// `CMD_CONTENT`
    Content(Vec<u8>),
    /// `CMD_END`: the e-mail is complete.
    End,
    /// One of `CMD_SMTP_…`.
    Server(ServerCommand),
}

/// What the MAP server does with the remote SMTP server (MAP 3.2 and 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerCommand {
    /// `CMD_SMTP_CONN`: connects.
    Conn,
    /// `CMD_SMTP_HELO`: greets, by EHLO or HELO.
    Helo,
    /// `CMD_SMTP_FROM`: gives the sender, by MAIL.
    From,
    /// `CMD_SMTP_TO`: gives a recipient, by RCPT.
    To,
    /// `CMD_SMTP_DATA`: gives the message.
    Data,
    /// `CMD_SMTP_QUIT`: takes its leave.
    Quit,
    /// `CMD_SMTP_AUTH`: authenticates. Ours.
    Auth,
    /// `CMD_SMTP_RSET`: gives up a mail transaction. Ours.
    Rset,
    /// `CMD_SMTP_TLS`: turns the connection into a TLS one. Ours.
    Tls,
}

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing but blanks.
    #[error("there is no command")]
    Empty,
    /// A command that takes a field came without one. Write it as the text says.
    #[error("{0} needs its field: {0}: <...>.")]
    FieldMissing(Keyword),
    /// A command that takes none came with a field.
    #[error("{0} takes no field: {0}.")]
    FieldUnexpected(Keyword),
    /// No room in this machine's memory, or in what the process may take of it, for a field of so many octets.
    #[error("there is no memory for the {1} octets of {0}")]
    NoMemory(Keyword, usize),
    /// The end is missing: `>.` after a field, or a full stop.
    #[error(
        "{0} has no end: a command ends in a full stop, after its closing angle bracket if it has a field"
    )]
    Unended(Keyword),
    /// A word that no command has; its beginning, with U+FFFD for what cannot be shown.
    #[error("there is no command {}", quoted(.0))]
    Unknown(String),
}

/// The name of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keyword {
    /// `CMD_FROM`
    From,
    /// `CMD_TO`
    To,
    /// `CMD_SUBJECT`
    Subject,
    /// `CMD_CONTENT`
    Content,
    /// `CMD_END`
    End,
    /// `CMD_SMTP_…`
    Server(ServerCommand),
}

impl Command {
    /// Reads a command as it stands in a call: any octets, no escaping.
    ///
    /// # Errors
    /// What keeps it from being a command.
    pub fn parse(text: &[u8]) -> Result<Self, CommandError> {
        let text = trim(text);
        if text.is_empty() {
            return Err(CommandError::Empty);
        }
        let word_ends = text
            .iter()
            .position(|octet| b":.<".contains(octet))
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(word_ends);
        let keyword = Keyword::parse(word).ok_or_else(|| CommandError::Unknown(excerpt(word)))?;
        let bracketed = rest
            .strip_prefix(b":")
            .map(trim)
            .and_then(|rest| rest.strip_prefix(b"<"));
        let field = || match bracketed {
            None => Err(CommandError::FieldMissing(keyword)),
            Some(rest) => {
                let field = rest.strip_suffix(b">.").ok_or(CommandError::Unended(keyword))?;
                copied(field).ok_or(CommandError::NoMemory(keyword, field.len()))
            }
        };
        let without_field = |command| match rest {
            b"." => Ok(command),
            _ if bracketed.is_some() => Err(CommandError::FieldUnexpected(keyword)),
            _ => Err(CommandError::Unended(keyword)),
        };
        match keyword {
            Keyword::From => field().map(Self::From),
            Keyword::To => field().map(Self::To),
            Keyword::Subject => field().map(Self::Subject),
            Keyword::Content => field().map(Self::Content),
            Keyword::End => without_field(Self::End),
            Keyword::Server(command) => without_field(Self::Server(command)),
        }
    }

    /// Its name.
    pub fn keyword(&self) -> Keyword {
        match self {
            Self::From(_) => Keyword::From,
            Self::To(_) => Keyword::To,
            Self::Subject(_) => Keyword::Subject,
            Self::Content(_) => Keyword::Content,
            Self::End => Keyword::End,
            Self::Server(command) => Keyword::Server(*command),
        }
    }

    /// Its field, if it has one.
    pub fn field(&self) -> Option<&[u8]> {
        match self {
            Self::From(field) | Self::To(field) | Self::Subject(field) | Self::Content(field) => Some(field),
            Self::End | Self::Server(_) => None,
        }
    }

    /// As it stands in a call. `Display` prints the same, but cannot carry a field that is not UTF-8.
    pub fn to_bytes(&self) -> Vec<u8> {
        let name = self.keyword().as_str().as_bytes();
        match self.field() {
            Some(field) => [name, b": <", field, b">."].concat(),
            None => [name, b"."].concat(),
        }
    }
}

/// A copy of a field of any length; `None` where there is no memory for it.
fn copied(field: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(field.len()).ok()?;
    copy.extend_from_slice(field);
    Some(copy)
}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        Self::parse(text.as_bytes())
    }
}

/// As it stands in a call; octets of a field that are not UTF-8 become U+FFFD.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword().as_str())?;
        match self.field() {
            Some(field) => write!(f, ": <{}>.", String::from_utf8_lossy(field)),
            None => f.write_str("."),
        }
    }
}

impl Keyword {
    /// Every one, in the order of MAP 3.2 and 3.3.
    pub const ALL: [Self; 14] = [
        Self::From,
        Self::To,
        Self::Subject,
        Self::Content,
        Self::End,
        Self::Server(ServerCommand::Conn),
        Self::Server(ServerCommand::Helo),
        Self::Server(ServerCommand::From),
        Self::Server(ServerCommand::To),
        Self::Server(ServerCommand::Data),
        Self::Server(ServerCommand::Quit),
        Self::Server(ServerCommand::Auth),
        Self::Server(ServerCommand::Rset),
        Self::Server(ServerCommand::Tls),
    ];

    /// `CMD_FROM`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::From => "CMD_FROM",
            Self::To => "CMD_TO",
            Self::Subject => "CMD_SUBJECT",
            Self::Content => "CMD_CONTENT",
            Self::End => "CMD_END",
            Self::Server(command) => command.as_str(),
        }
    }

    /// Knows the document's slips as well.
    fn parse(word: &[u8]) -> Option<Self> {
        let rest = word
            .strip_prefix(b"CMD_")
            .or_else(|| word.strip_prefix(b"CMD "))?;
        let is = |keyword: &Self| {
            let name = keyword
                .as_str()
                .strip_prefix("CMD_")
                .unwrap_or_default()
                .as_bytes();
            let smtp = |name: &[u8]| name.strip_prefix(b"SMTP_").map(<[u8]>::to_vec);
            name == rest || smtp(name).is_some_and(|name| rest.strip_prefix(b"SMTPE") == Some(&name))
        };
        Self::ALL.into_iter().find(is)
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ServerCommand {
    /// `CMD_SMTP_CONN`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conn => "CMD_SMTP_CONN",
            Self::Helo => "CMD_SMTP_HELO",
            Self::From => "CMD_SMTP_FROM",
            Self::To => "CMD_SMTP_TO",
            Self::Data => "CMD_SMTP_DATA",
            Self::Quit => "CMD_SMTP_QUIT",
            Self::Auth => "CMD_SMTP_AUTH",
            Self::Rset => "CMD_SMTP_RSET",
            Self::Tls => "CMD_SMTP_TLS",
        }
    }
}

/// As appendix A prints it: `CMD_SMTP_CONN.`
impl fmt::Display for ServerCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.as_str())
    }
}

impl From<ServerCommand> for Command {
    fn from(command: ServerCommand) -> Self {
        Self::Server(command)
    }
}

/// Without the blanks and line ends around it.
fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let start = text
        .iter()
        .position(|octet| !is_blank(octet))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|octet| !is_blank(octet))
        .map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// Enough of a word to recognise it by, and nothing that would drive a terminal.
fn excerpt(word: &[u8]) -> String {
    const OCTETS: usize = 40;
    let text = String::from_utf8_lossy(word.get(..OCTETS).unwrap_or(word));
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests;
