//! Sends a file, for the comparison of `scripts/bench-memory`: `send_file data|bdat|binary PORT FILE`.
//!
//! By DATA; by BDAT, the file in base64; by BDAT as a binary body, the file as it is.

use map_core::message::{AddressList, BodyType, Builder, Part};
use map_core::protocol::MapReplyCode;
use map_core::smtp::Chunking;
use map_core::{Agent, Config};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, way, port, file] = arguments.as_slice() else {
        return Err("usage: send_file data|bdat|binary PORT FILE".into());
    };
    let mut config = Config::new();
    config.set_smtp_port(port.parse()?)?;
    config.set_hello_name(Some("client.test"))?;
    config.set_allow_loopback(true);
    let mut builder = Builder::new();
    match way.as_str() {
        "data" => config.set_chunking(Chunking::Avoid),
        "bdat" => config.set_chunking(Chunking::Prefer),
        "binary" => builder = builder.body_type(BodyType::Binary),
        _ => return Err("data, bdat or binary".into()),
    }
    let message = builder
        .from("a@sender.test".parse::<AddressList>()?)
        .to("bob@[127.0.0.1]".parse::<AddressList>()?)
        .subject("a file".parse()?)
        .text("attached".parse()?)
        .attach(Part::file(file)?)
        .build()?;
    let report = Agent::new(config).send_message(message);
    if report.reply().code() == MapReplyCode::Success {
        Ok(())
    } else {
        Err(report.summary().advice().into())
    }
}
