//! MAP on a stream, for the command `mapagent session`.

use crate::agent::{Agent, send_fields};
use crate::report::Report;
use map_core::MapReply;
use map_core::protocol::{CheckedFields, CommandReader, Fields, Keyword, Session, Step};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Reads MAP commands from a stream and answers them. Private: its form may change.
///
/// Feed it what arrives, then take answers until there is none.
#[pyclass(module = "mapagent._native")]
pub(crate) struct StreamSession {
    agent: Py<Agent>,
    reader: CommandReader,
    session: Session,
}

/// What there is to say.
#[derive(IntoPyObject)]
enum Answer {
    /// What became of a mail.
    Sent(Py<Report>),
    /// A reply of the client's own, as MAP prints it.
    Reply(String),
}

#[pymethods]
impl StreamSession {
    #[new]
    fn new(agent: Py<Agent>) -> Self {
        Self {
            agent,
            reader: CommandReader::new(),
            session: Session::new(),
        }
    }

    /// Takes octets that arrived.
    fn feed(&mut self, octets: &[u8]) {
        self.reader.push(octets);
    }

    /// The stream has ended: take answers once more.
    fn finish(&mut self) {
        self.reader.finish();
    }

    /// Obeys commands until one has an answer: a Report for a mail that was sent, a str for any other reply, None when
    /// more must arrive first.
    fn answer(&mut self, py: Python<'_>) -> PyResult<Option<Answer>> {
        while let Some(command) = self.reader.pop() {
            let step = match command {
                Ok(command) => self.session.command(&command),
                Err(error) => {
                    let misuse = MapReply::Misuse(error.to_string());
                    return Ok(Some(Answer::Reply(misuse.to_string())));
                }
            };
            match step {
                Step::Continue => {}
                Step::Send(fields) => return self.send(py, &fields).map(Answer::Sent).map(Some),
                Step::CheckFailed(_) | Step::Misuse(_) => {
                    return Ok(step.reply().map(|reply| Answer::Reply(reply.to_string())));
                }
            }
        }
        Ok(None)
    }

    /// The command that is awaited when a mail was begun; None between mails.
    #[getter]
    fn awaited(&self) -> Option<String> {
        match self.session.expected() {
            Keyword::From => None,
            keyword => Some(keyword.to_string()),
        }
    }
}

impl StreamSession {
    fn send(&self, py: Python<'_>, fields: &CheckedFields) -> PyResult<Py<Report>> {
        let (from, to) = (fields.from.to_string(), fields.to.to_string());
        let texts = Fields {
            from: from.as_bytes(),
            to: to.as_bytes(),
            subject: fields.subject.as_str().as_bytes(),
            content: fields.content.as_str().as_bytes(),
        };
        let agent = self.agent.get().here()?;
        send_fields(py, &agent, texts, &PyString::new(py, &from), None)
    }
}
