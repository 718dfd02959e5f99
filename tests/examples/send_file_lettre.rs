//! Sends a file by lettre, for the comparison of `scripts/bench-memory`: `send_file_lettre PORT FILE`.

use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType};
use lettre::{Message, SmtpTransport, Transport};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, file] = arguments.as_slice() else {
        return Err("usage: send_file_lettre PORT FILE".into());
    };
    let attachment = Attachment::new("file.bin".to_owned());
    let attachment = attachment.body(
        std::fs::read(file)?,
        ContentType::parse("application/octet-stream")?,
    );
    let text = SinglePart::plain("attached".to_owned());
    let message = Message::builder()
        .from("a@sender.test".parse::<Mailbox>()?)
        .to("bob@sink.test".parse::<Mailbox>()?)
        .subject("a file")
        .multipart(MultiPart::mixed().singlepart(text).singlepart(attachment))?;
    let transport = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(port.parse()?)
        .build();
    transport.send(&message)?;
    Ok(())
}
