//! The header section of a message made of texts.

use super::encode::TransferEncoding;
use super::unstructured::write_text;
use super::{MessageId, OriginationDate, Subject};
use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::message_id;
use mail_builder::headers::raw::Raw;

/// What the header fields say. The types cannot carry a line end, so no text of the caller's can begin a field.
///
/// mail-builder writes the fields it can be trusted with. It takes away control characters in an address, and
/// there are none; it writes every date in Universal Time, so that the date is given to it as text; for the
/// subject see [`super::encoded_word`].
pub(super) struct Fields<'a> {
    pub(super) date: &'a OriginationDate,
    /// `addr-spec` with the domain as A-labels, as [`crate::address::Mailbox::to_smtp`] gives it: a quoted local
    /// part of RFC 5321 is a `quoted-string` of RFC 5322, and an address literal a `domain-literal`.
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) subject: &'a Subject,
    pub(super) message_id: &'a MessageId,
    pub(super) content_transfer_encoding: TransferEncoding,
}

impl Fields<'_> {
    /// The header section and the empty line that ends it.
    pub(super) fn compose(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        write_field(&mut out, "Date", &Raw::new(self.date.to_string()));
        write_field(&mut out, "From", &Address::new_address(None::<&str>, self.from));
        write_field(&mut out, "To", &Address::new_address(None::<&str>, self.to));
        write_text(&mut out, "Subject", self.subject.as_str());
        write_field(
            &mut out,
            "Message-ID",
            &message_id::MessageId::new(self.message_id.as_str()),
        );
        write_field(&mut out, "MIME-Version", &Raw::new("1.0"));
        // UTF-8 even where US-ASCII would do (RFC 2046 section 4.1.2 prefers the smaller one): some mail programs
        // write an answer in the character set of what it answers, and lose what US-ASCII has not.
        write_field(
            &mut out,
            "Content-Type",
            &ContentType::new("text/plain").attribute("charset", "utf-8"),
        );
        let encoding = self.content_transfer_encoding.name();
        write_field(&mut out, "Content-Transfer-Encoding", &Raw::new(encoding));
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// Writes `name: value`, folded by mail-builder.
pub(super) fn write_field(out: &mut Vec<u8>, name: &str, value: &impl Header) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    value.write_header(out, name.len() + ": ".len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_in_their_order() {
        let octets = Fields {
            date: &"2026-11-22T01:40:00+01:00[+01:00]"
                .parse::<jiff::Zoned>()
                .unwrap()
                .try_into()
                .unwrap(),
            from: r#""John \"J\" <Doe>, Jr."@xn--bcher-kva.example"#,
            to: "postmaster@[IPv6:2001:db8::1]",
            subject: &Subject::parse("Grüße".as_bytes()).unwrap(),
            message_id: &"1.2@xn--bcher-kva.example".parse().unwrap(),
            content_transfer_encoding: TransferEncoding::QuotedPrintable,
        }
        .compose();
        let expected = "Date: Sun, 22 Nov 2026 01:40:00 +0100\r\n\
            From: <\"John \\\"J\\\" <Doe>, Jr.\"@xn--bcher-kva.example>\r\n\
            To: <postmaster@[IPv6:2001:db8::1]>\r\n\
            Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\
            Message-ID: <1.2@xn--bcher-kva.example>\r\n\
            MIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=\"utf-8\"\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\
            \r\n";
        assert_eq!(String::from_utf8(octets).unwrap(), expected);
    }
}
