//! The dialogue of a delivery as appendix A of the MAP document prints it.

use super::outcome::{Attempt, Line, Stage};
use super::report::{Report, What};
use crate::protocol::{Command, ServerCommand};
use crate::smtp::{self, ExchangeStage};
use crate::text::{one_line, shown_line};
use std::fmt::Write;

/// More lines of one server reply than this are not printed.
const SHOWN_LINES: usize = 32;

impl Report {
    /// The MAP dialogue as appendix A of the document prints it (`C:` the client, `S:` the MAP server, `SS:` the
    /// mail host), in the logical order command, reply. Rendered now; text from a server is escaped.
    pub fn transcript(&self) -> String {
        render(self)
    }
}

fn render(report: &Report) -> String {
    let mut text = String::new();
    let asked = &report.asked;
    let mut say = |command: Command| line(&mut text, "C", &one_line(&command.to_string()));
    say(Command::From(asked.from.clone().into_bytes()));
    for to in &asked.to {
        say(Command::To(to.clone().into_bytes()));
    }
    match &asked.what {
        What::Fields { subject, content } => {
            say(Command::Subject(subject.clone().into_bytes()));
            say(Command::Content(content.clone().into_bytes()));
        }
        // MAP has no word for it: a remark, in brackets.
        What::Message(message) => line(&mut text, "C", &format!("({})", one_line(message))),
    }
    for attempt in &report.attempts {
        render_attempt(&mut text, attempt);
    }
    // The client's own checks are the client's to answer (MAP A.2, A.3).
    let speaker = if report.summary().stage() == Stage::Check {
        "C"
    } else {
        "S"
    };
    // One reply stands for all; what became of each is a remark.
    if report.recipients.len() > 1 {
        for recipient in &report.recipients {
            let said = format!("(<{}>: {})", recipient.recipient(), recipient.reply());
            line(&mut text, speaker, &one_line(&said));
        }
    }
    line(&mut text, speaker, &report.reply().to_string());
    text
}

fn line(text: &mut String, speaker: &str, said: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{speaker}: {said}");
}

/// Commands and replies in pairs, whatever was sent ahead; what was never answered comes last.
fn render_attempt(text: &mut String, attempt: &Attempt) {
    if attempt.stage == Stage::Route {
        return;
    }
    line(text, "S", &Command::Server(ServerCommand::Conn).to_string());
    let mut unanswered: Vec<ExchangeStage> = Vec::new();
    let mut remark = None;
    let mut commands = Commands::default();
    for entry in &attempt.dialogue {
        match entry {
            Line::NoTls(why) => remark = Some(why),
            Line::Sent(stage) => unanswered.push(*stage),
            Line::Received(ExchangeStage::Chunk, reply)
                if commands.has_data && reply.severity() == smtp::Severity::PositiveCompletion =>
            {
                unanswered
                    .iter()
                    .position(|sent| *sent == ExchangeStage::Chunk)
                    .map(|position| unanswered.remove(position));
                commands.chunks_left_out += 1;
            }
            Line::Received(stage, reply) => {
                commands.tell_of_chunks(text);
                if let Some(position) = unanswered.iter().position(|sent| sent == stage) {
                    commands.render(text, unanswered.remove(position));
                }
                // A challenge is no text, and what answers it is worth a guess at the secret.
                if *stage == ExchangeStage::Auth && reply.severity() == smtp::Severity::PositiveIntermediate {
                    line(text, "SS", &reply.code.to_string());
                } else {
                    render_reply(text, reply);
                }
            }
        }
    }
    commands.tell_of_chunks(text);
    for stage in unanswered {
        commands.render(text, stage);
    }
    // Nobody says that a handshake failed: a remark, in brackets.
    if let Some(why) = remark {
        line(text, "S", &format!("({})", one_line(why)));
    }
}

/// The commands of an attempt in the words of MAP.
#[derive(Default)]
struct Commands {
    /// DATA, or a chunk, has been printed for the content to come.
    has_data: bool,
    /// Chunks that went as the one before them did: a large content has thousands.
    chunks_left_out: usize,
}

impl Commands {
    fn tell_of_chunks(&mut self, text: &mut String) {
        match std::mem::take(&mut self.chunks_left_out) {
            0 => {}
            1 => line(text, "S", "(another chunk, accepted)"),
            chunks => line(text, "S", &format!("({chunks} more chunks, accepted)")),
        }
    }

    fn render(&mut self, text: &mut String, stage: ExchangeStage) {
        // MAP has one word for DATA and what follows it. A content in a single chunk has no other command.
        let has_data = std::mem::replace(
            &mut self.has_data,
            matches!(stage, ExchangeStage::Data | ExchangeStage::Chunk),
        );
        match stage {
            ExchangeStage::Content if has_data => {}
            ExchangeStage::Content => render_command(text, ExchangeStage::Data),
            stage => render_command(text, stage),
        }
    }
}

fn render_command(text: &mut String, stage: ExchangeStage) {
    let command = match stage {
        ExchangeStage::Ehlo | ExchangeStage::Helo => ServerCommand::Helo,
        ExchangeStage::StartTls => ServerCommand::Tls,
        ExchangeStage::Auth => ServerCommand::Auth,
        ExchangeStage::Mail => ServerCommand::From,
        ExchangeStage::Rcpt => ServerCommand::To,
        ExchangeStage::Data | ExchangeStage::Chunk => ServerCommand::Data,
        ExchangeStage::Rset => ServerCommand::Rset,
        ExchangeStage::Quit => ServerCommand::Quit,
        ExchangeStage::Content | ExchangeStage::Greeting | ExchangeStage::Tls => return,
    };
    line(text, "S", &Command::Server(command).to_string());
}

fn render_reply(text: &mut String, reply: &smtp::Reply) {
    let overruled = reply.overruled.iter().map(|line| (line.code, &line.text));
    let lines = overruled.chain(reply.lines.iter().map(|said| (reply.code, said)));
    let last = (reply.overruled.len() + reply.lines.len()).saturating_sub(1);
    for (index, (code, said)) in lines.enumerate() {
        // The line that decides is always there.
        if index >= SHOWN_LINES && index < last {
            continue;
        }
        if index >= SHOWN_LINES && last > SHOWN_LINES {
            line(text, "SS", &format!("… ({} more lines)", last - SHOWN_LINES));
        }
        let separator = if index < last { "-" } else { " " };
        let said = shown_line(said);
        let separator = if said.is_empty() && index == last {
            ""
        } else {
            separator
        };
        line(text, "SS", &format!("{code}{separator}{said}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::AttemptOutcome;
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::Instant;

    /// What is printed of a content that goes in `chunks` chunks, the last of them with LAST.
    fn of_chunks(chunks: usize) -> Vec<String> {
        let reply = |text: &str| {
            let lines = vec![text.as_bytes().into()];
            Arc::new(smtp::Reply::new(smtp::ReplyCode::OK, lines))
        };
        let mut dialogue = Vec::new();
        for number in 1..=chunks {
            let stage = if number == chunks {
                ExchangeStage::Content
            } else {
                ExchangeStage::Chunk
            };
            dialogue.push(Line::Sent(stage));
            dialogue.push(Line::Received(stage, reply(&number.to_string())));
        }
        let attempt = Attempt {
            host: "mx.example".into(),
            address: None,
            stage: Stage::Content,
            outcome: AttemptOutcome::Accepted,
            detail: String::new(),
            code: None,
            started: Instant::now(),
            duration: Duration::ZERO,
            tls: None,
            policy: None,
            dialogue,
        };
        let mut text = String::new();
        render_attempt(&mut text, &attempt);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn thousands_of_chunks_are_few_lines() {
        assert_eq!(of_chunks(1), ["S: CMD_SMTP_DATA.", "SS: 250 1"]);
        assert_eq!(of_chunks(2), ["S: CMD_SMTP_DATA.", "SS: 250 1", "SS: 250 2"]);
        assert_eq!(
            of_chunks(3),
            [
                "S: CMD_SMTP_DATA.",
                "SS: 250 1",
                "S: (another chunk, accepted)",
                "SS: 250 3"
            ]
        );
        assert_eq!(of_chunks(2000)[2], "S: (1998 more chunks, accepted)");
        assert_eq!(of_chunks(2000).len(), 4);
    }
}
