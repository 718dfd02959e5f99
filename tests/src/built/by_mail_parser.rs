//! What mail-parser sees in a message.

use super::generate::hex;
use mail_parser::{
    Address, HeaderForm, HeaderName, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};
use serde_json::{Value, json};

/// What mail-parser sees, told as in `python/read_built.py`.
///
/// # Panics
/// When it takes the octets for no message.
pub fn read_by_mail_parser(octets: &[u8]) -> Value {
    let message = MessageParser::default().parse(octets).expect("it is no message");
    whole(&message)
}

fn whole(message: &Message<'_>) -> Value {
    let text = |name: HeaderName<'static>| -> Vec<String> {
        let values = message.header_values(name);
        values
            .filter_map(HeaderValue::as_text)
            .map(str::to_owned)
            .collect()
    };
    let own = message.header_as("X-Own", HeaderForm::Text);
    let own: Vec<_> = own.iter().filter_map(HeaderValue::as_text).collect();
    assert!(message.date().is_some() && message.bcc().is_none());
    json!({
        "message_id": message.message_id(),
        "subject": message.subject(),
        "from": addresses(message.from()),
        "sender": addresses(message.sender()),
        "reply_to": addresses(message.reply_to()),
        "to": addresses(message.to()),
        "cc": addresses(message.cc()),
        "references": list(message.references()),
        "in_reply_to": list(message.in_reply_to()),
        "comments": text(HeaderName::Comments),
        "keywords": list(message.keywords()),
        "fields": own,
        "body": part(message, message.root_part()),
    })
}

fn part(message: &Message<'_>, part: &MessagePart<'_>) -> Value {
    let content_type = part.content_type().expect("a part without a type");
    let essence = format!(
        "{}/{}",
        content_type.ctype(),
        content_type.subtype().unwrap_or_default()
    );
    let disposition = part
        .content_disposition()
        .map(|disposition| disposition.ctype().to_owned());
    assert!(!part.is_encoding_problem);
    match &part.body {
        PartType::Multipart(parts) => {
            let parts = parts.iter().filter_map(|id| message.part(*id));
            let parts: Vec<_> = parts.map(|one| self::part(message, one)).collect();
            return json!({ "type": essence, "parts": parts, "disposition": disposition });
        }
        PartType::Message(inner) => {
            return json!({ "type": essence, "message": whole(inner), "disposition": disposition });
        }
        _ => {}
    }
    let mut seen = json!({
        "type": essence,
        "disposition": disposition,
        "name": part.attachment_name(),
        "id": part.content_id(),
        "description": part.content_description(),
    });
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => seen["text"] = json!(text.replace("\r\n", "\n")),
        _ => seen["octets"] = json!(hex(part.contents())),
    }
    seen
}

fn list(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(text) => vec![text.to_string()],
        HeaderValue::TextList(texts) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// `[group, name, addr-spec]` of each.
fn addresses(field: Option<&Address<'_>>) -> Value {
    let one = |group: Option<&str>, address: &mail_parser::Addr<'_>| {
        json!([
            group.unwrap_or_default(),
            address.name.as_deref().unwrap_or_default(),
            address.address.as_deref()
        ])
    };
    match field {
        None => json!([]),
        Some(Address::List(list)) => list.iter().map(|address| one(None, address)).collect(),
        Some(Address::Group(groups)) => groups
            .iter()
            .flat_map(|group| {
                group
                    .addresses
                    .iter()
                    .map(|address| one(group.name.as_deref(), address))
            })
            .collect(),
    }
}
