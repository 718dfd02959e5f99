//! The client session of MAP 4.1, as a GUI speaks it.

use super::check::no_memory;
use super::{CheckFailure, CheckedFields, Command, CommandError, Fields, Keyword, MapReply, check};

/// One client's side of the protocol: it takes commands and says what follows from each.
///
/// ```text
/// CMD_FROM ─▶ CMD_TO ─▶ CMD_SUBJECT ─▶ CMD_CONTENT ─▶ CMD_END ─▶ the checks ─▶ CMD_FROM …
/// ```
///
/// As MAP 3.4 has it, a command that is in order is answered by silence. One that is not is answered by `RE_MISUSE`
/// with what is expected instead, and changes nothing: what was given before stays, and the session goes on. After
/// `CMD_END` the session is as new, whatever the checks said.
///
/// # Example
/// ```
/// use map_core::protocol::{Session, Step};
///
/// let mut session = Session::new();
/// assert!(session.command(b"CMD_FROM: <cxw@apple.com>.").reply().is_none());
/// let step = session.command(b"CMD_END.");
/// let reply = step.reply().unwrap().to_string();
/// assert_eq!(reply, "RE_MISUSE: <CMD_END comes too early and changes nothing; CMD_TO is expected next>.");
/// session.command(b"CMD_TO: <407184933@qq.com>.");
/// session.command(b"CMD_SUBJECT: <test>.");
/// session.command(b"CMD_CONTENT: <test content.>.");
/// assert!(matches!(session.command(b"CMD_END."), Step::Send(_)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Session {
    phase: Phase,
}

/// What follows from a command.
#[derive(Clone, Debug)]
#[must_use = "a message may have to be sent, or a reply to be shown"]
pub enum Step {
    /// Nothing to say; more commands are expected.
    Continue,
    /// The command was not in order, or there is no memory for it; nothing has changed.
    Misuse(MapReply),
    /// `CMD_END`, and a check failed: show its reply.
    CheckFailed(CheckFailure),
    /// `CMD_END`, and the fields are in order: send them.
    Send(Box<CheckedFields>),
}

/// What is awaited, each named for its command, with what was given before.
#[derive(Clone, Debug, Default)]
enum Phase {
    #[default]
    From,
    To(ExpectTo),
    Subject(ExpectSubject),
    Content(ExpectContent),
    End(ExpectEnd),
}

#[derive(Clone, Debug)]
struct ExpectTo {
    from: Vec<u8>,
}

#[derive(Clone, Debug)]
struct ExpectSubject {
    from: Vec<u8>,
    to: Vec<u8>,
}

#[derive(Clone, Debug)]
struct ExpectContent {
    from: Vec<u8>,
    to: Vec<u8>,
    subject: Vec<u8>,
}

#[derive(Clone, Debug)]
struct ExpectEnd {
    from: Vec<u8>,
    to: Vec<u8>,
    subject: Vec<u8>,
    content: Vec<u8>,
}

impl Session {
    /// A session that awaits `CMD_FROM`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a command as it stands in a call: see [`Command`].
    pub fn command(&mut self, text: &[u8]) -> Step {
        let command = match Command::parse(text) {
            Ok(command) => command,
            Err(CommandError::NoMemory(of, octets)) => {
                return Step::Misuse(MapReply::Local(no_memory(of.as_str(), octets)));
            }
            Err(error) => return self.misuse(&error.to_string()),
        };
        let (phase, step) = match (std::mem::take(&mut self.phase), command) {
            (Phase::From, Command::From(from)) => (Phase::To(ExpectTo { from }), Step::Continue),
            (Phase::To(given), Command::To(to)) => (given.to(to), Step::Continue),
            (Phase::Subject(given), Command::Subject(subject)) => (given.subject(subject), Step::Continue),
            (Phase::Content(given), Command::Content(content)) => (given.content(content), Step::Continue),
            (Phase::End(given), Command::End) => (Phase::From, given.end()),
            (phase, command) => {
                self.phase = phase;
                return self.out_of_order(command.keyword());
            }
        };
        self.phase = phase;
        step
    }

    /// The command that is awaited.
    pub fn expected(&self) -> Keyword {
        match self.phase {
            Phase::From => Keyword::From,
            Phase::To(_) => Keyword::To,
            Phase::Subject(_) => Keyword::Subject,
            Phase::Content(_) => Keyword::Content,
            Phase::End(_) => Keyword::End,
        }
    }

    /// Forgets what was given, for a user who begins again.
    pub fn clear(&mut self) {
        self.phase = Phase::default();
    }

    fn out_of_order(&self, keyword: Keyword) -> Step {
        let order = |keyword: Keyword| Keyword::ALL.iter().position(|other| *other == keyword);
        let what = match keyword {
            Keyword::Server(_) => "is for the server to say",
            _ if order(keyword) < order(self.expected()) => "was given already and stays as it was",
            _ => "comes too early and changes nothing",
        };
        self.misuse(&format!("{keyword} {what}"))
    }

    fn misuse(&self, what: &str) -> Step {
        Step::Misuse(MapReply::Misuse(format!(
            "{what}; {} is expected next",
            self.expected()
        )))
    }
}

impl ExpectTo {
    fn to(self, to: Vec<u8>) -> Phase {
        Phase::Subject(ExpectSubject { from: self.from, to })
    }
}

impl ExpectSubject {
    fn subject(self, subject: Vec<u8>) -> Phase {
        Phase::Content(ExpectContent {
            from: self.from,
            to: self.to,
            subject,
        })
    }
}

impl ExpectContent {
    fn content(self, content: Vec<u8>) -> Phase {
        Phase::End(ExpectEnd {
            from: self.from,
            to: self.to,
            subject: self.subject,
            content,
        })
    }
}

impl ExpectEnd {
    fn end(self) -> Step {
        let checked = check(Fields {
            from: &self.from,
            to: &self.to,
            subject: &self.subject,
            content: &self.content,
        });
        match checked {
            Ok(fields) => Step::Send(Box::new(fields)),
            Err(failure) => Step::CheckFailed(failure),
        }
    }
}

impl Step {
    /// The reply to show, if there is one already.
    pub fn reply(&self) -> Option<&MapReply> {
        match self {
            Self::Misuse(reply) => Some(reply),
            Self::CheckFailed(failure) => Some(&failure.reply),
            Self::Continue | Self::Send(_) => None,
        }
    }
}
