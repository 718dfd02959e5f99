//! Octets read as a C program: functions of the interface in any order, on handles of any age and NULL, with texts of any
//! kind. Shared by a test and by a fuzz target; nothing of it is in the library.
//!
//! Nothing leaves this machine: agents have no settings but a deadline, and mails go to addresses that are refused before
//! anybody is asked or connected to.

use crate::agent::{map_agent, map_agent_free, map_agent_new, map_agent_send};
use crate::config::network::{
    map_config_set_chunking, map_config_set_dns_trust_anchor, map_config_set_port25_probe_hosts,
    map_config_set_proxy, map_config_set_source_address,
};
use crate::config::relay::{map_config_set_relay, map_config_set_relay_login};
use crate::config::tls::{map_config_add_tls_roots, map_config_set_dane, map_config_set_require_tls};
use crate::config::{
    map_config, map_config_free, map_config_new, map_config_set_deadline_ms, map_config_set_dns_servers,
    map_config_set_hello_name, map_config_set_smtp_port, map_config_set_timeout_ms,
};
use crate::dkim::{
    map_dkim_signer, map_dkim_signer_free, map_dkim_signer_new, map_dkim_signer_record,
    map_dkim_signer_record_name, map_dkim_signer_set_expiry,
};
use crate::message::body::{
    map_message_add_inline, map_message_attach, map_message_attach_file, map_message_attach_octets,
    map_message_set_body, map_message_set_body_type, map_message_set_html, map_message_set_text_n,
};
use crate::message::envelope::{
    map_message_add_original_recipient, map_message_set_envelope_id, map_message_set_notify,
    map_message_set_null_reverse_path, map_message_set_ret, map_message_sign,
};
use crate::message::header::{
    map_message_add_bcc, map_message_add_field, map_message_add_from, map_message_add_keywords,
    map_message_add_references, map_message_add_resent, map_message_add_to, map_message_set_date,
    map_message_set_message_id, map_message_set_sender, map_message_set_subject,
};
use crate::message::output::{
    map_message_build, map_message_id, map_message_recipient, map_message_recipient_count, map_message_size,
    map_message_warning, map_message_warning_count, map_message_write,
};
use crate::message::part::{
    map_part, map_part_add, map_part_free, map_part_message_new, map_part_multipart_new, map_part_octets_new,
    map_part_set_content_id, map_part_set_disposition, map_part_set_file_name, map_part_set_media_type,
    map_part_set_transfer_encoding, map_part_text_new,
};
use crate::message::raw::{
    map_message_raw_new, map_message_set_blind_copies, map_message_set_envelope,
    map_message_set_unix_line_ends,
};
use crate::message::send::map_agent_send_message;
use crate::message::{map_message, map_message_clear_errors, map_message_free, map_message_new};
use crate::reply::{map_last_advice, map_last_reply, map_reply, map_reply_name, map_reply_text};
use crate::report::{
    map_report, map_report_advice, map_report_attempt_count, map_report_attempt_detail, map_report_free,
    map_report_recipient, map_report_recipient_count, map_report_reply, map_report_server_text,
    map_report_text, map_report_transcript, map_report_warning, map_report_warning_count,
};
use crate::send::map_send;
use crate::session::{
    map_session, map_session_command_n, map_session_free, map_session_new, map_session_report,
};
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

/// Addresses to which nothing is ever sent: no mailbox, or one on this machine.
const RECIPIENTS: [&CStr; 5] = [c"", c"nobody", c"b@[127.0.0.1]", c"b@[IPv6:::1]", c"b@localhost"];

/// What the functions understand, beside anything.
const TEXTS: [&CStr; 24] = [
    c"",
    c"a@example.com",
    c"Anna <anna@example.com>, b@example.net",
    c"\"quoted, name\" <c@example.org>",
    c"b@[127.0.0.1]",
    c"text/plain; charset=utf-8",
    c"multipart/mixed",
    c"message/rfc822",
    c"logo@example.com",
    c"<1@example.com> <2@example.com>",
    c"List-Unsubscribe",
    c"X-Field",
    c"failure,delay",
    c"127.0.0.1:5300, [::1]:53",
    c"socks5://u:p@127.0.0.1",
    c"mail.example.com",
    c"Gr\xc3\xbc\xc3\x9fe",
    c"\xff\xfe",
    c"a\r\nBcc: b@example.net",
    c"From: a@example.com\r\nTo: b@example.net\r\n\r\nHi\r\n",
    c"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----",
    c"CMD_FROM: <a@example.com>.",
    c"CMD_TO: <b@[127.0.0.1]>.",
    c"CMD_END.",
];

/// How many handles of a kind there are at a time.
const PLACES: usize = 3;
/// What a program does in one go; more would only be slow.
const MAX_STEPS: usize = 64;

/// Runs the program.
pub fn program(data: &[u8]) {
    let mut machine = Machine::new(data);
    for _ in 0..MAX_STEPS {
        let Some(step) = machine.next_octet() else { break };
        // SAFETY: every handle is NULL or one that was made and not freed, every text is ended by a NUL, every length is
        // that of what stands there, and one thread uses it all.
        unsafe { machine.step(step) };
        last_words_can_be_read();
    }
}

struct Machine<'a> {
    data: &'a [u8],
    /// The texts that were made, which live as long as the program.
    texts: Vec<CString>,
    configs: [*mut map_config; PLACES],
    messages: [*mut map_message; PLACES],
    parts: [*mut map_part; PLACES],
    signers: [*mut map_dkim_signer; PLACES],
    agents: [*mut map_agent; PLACES],
    sessions: [*mut map_session; PLACES],
    report: *mut map_report,
}

impl<'a> Machine<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            texts: Vec::new(),
            configs: [null_mut(); PLACES],
            messages: [null_mut(); PLACES],
            parts: [null_mut(); PLACES],
            signers: [null_mut(); PLACES],
            agents: [null_mut(); PLACES],
            sessions: [null_mut(); PLACES],
            report: null_mut(),
        }
    }

    fn next_octet(&mut self) -> Option<u8> {
        let (&octet, rest) = self.data.split_first()?;
        self.data = rest;
        Some(octet)
    }

    fn octet(&mut self) -> u8 {
        self.next_octet().unwrap_or_default()
    }

    fn number(&mut self) -> i32 {
        i32::from(self.octet()) - 2
    }

    fn place(&mut self) -> usize {
        usize::from(self.octet()) % PLACES
    }

    /// One that is known, any other of the octets to come, or NULL.
    fn text(&mut self) -> *const c_char {
        let octet = self.octet();
        if let Some(text) = TEXTS.get(usize::from(octet)) {
            return text.as_ptr();
        }
        if octet == u8::MAX {
            return null();
        }
        let length = usize::from(octet).min(self.data.len());
        let (text, rest) = self.data.split_at(length);
        self.data = rest;
        let text: Vec<u8> = text.iter().copied().take_while(|&octet| octet != 0).collect();
        let text = CString::new(text).expect("it has no NUL");
        self.texts.push(text);
        self.texts.last().map_or(null(), |text| text.as_ptr())
    }

    /// Octets of any kind, as many as are said.
    fn octets(&mut self) -> (*const c_char, usize) {
        let length = usize::from(self.octet()).min(self.data.len());
        let (octets, rest) = self.data.split_at(length);
        self.data = rest;
        (octets.as_ptr().cast(), length)
    }

    /// One call.
    ///
    /// # Safety
    /// Nobody else uses the handles.
    unsafe fn step(&mut self, step: u8) {
        let place = self.place();
        // SAFETY: as `program` says.
        unsafe {
            match step % 6 {
                0 => self.configure(place),
                1 => self.address(place),
                2 => self.compose(place),
                3 => self.part(place),
                4 => self.finish(place),
                _ => self.send(place),
            }
        }
    }

    unsafe fn configure(&mut self, place: usize) {
        let config = self.configs[place];
        // SAFETY: as `program` says.
        unsafe {
            match self.octet() % 16 {
                0 | 1 => {
                    map_config_free(config);
                    self.configs[place] = map_config_new();
                }
                2 => answered(map_config_set_dns_servers(config, self.text())),
                3 => answered(map_config_set_smtp_port(config, self.number())),
                4 => answered(map_config_set_hello_name(config, self.text())),
                5 => answered(map_config_set_timeout_ms(
                    config,
                    self.number(),
                    self.octet().into(),
                )),
                6 => answered(map_config_set_chunking(config, self.number())),
                7 => answered(map_config_set_source_address(config, self.text())),
                8 => answered(map_config_set_proxy(config, self.text())),
                9 => answered(map_config_set_port25_probe_hosts(
                    config,
                    self.text(),
                    self.text(),
                )),
                10 => answered(map_config_set_dns_trust_anchor(config, self.text())),
                11 => answered(map_config_set_relay(
                    config,
                    self.text(),
                    self.number(),
                    self.number(),
                )),
                12 => answered(map_config_set_relay_login(
                    config,
                    self.text(),
                    self.text(),
                    self.number(),
                )),
                13 => answered(map_config_add_tls_roots(config, self.text())),
                14 => answered(map_config_set_dane(config, self.number())),
                _ => answered(map_config_set_require_tls(config, self.number())),
            }
        }
    }

    unsafe fn address(&mut self, place: usize) {
        let message = self.messages[place];
        // SAFETY: as `program` says.
        unsafe {
            match self.octet() % 14 {
                0 | 1 => {
                    map_message_free(message);
                    self.messages[place] = map_message_new();
                }
                2 => {
                    let (octets, length) = self.octets();
                    map_message_free(message);
                    self.messages[place] = map_message_raw_new(octets, length);
                }
                3 | 4 => answered(map_message_add_from(message, self.text())),
                5 | 6 => answered(map_message_add_to(message, self.text())),
                7 => answered(map_message_add_bcc(message, self.text())),
                8 => answered(map_message_set_sender(message, self.text())),
                9 => {
                    let texts = [(); 5].map(|()| self.text());
                    answered(map_message_add_resent(
                        message, texts[0], texts[1], texts[2], texts[3], texts[4],
                    ));
                }
                10 => answered(map_message_set_envelope(message, self.text(), self.text())),
                11 => answered(map_message_set_null_reverse_path(message)),
                12 => answered(map_message_add_original_recipient(
                    message,
                    self.text(),
                    self.text(),
                )),
                _ => answered(map_message_set_blind_copies(message, self.number())),
            }
        }
    }

    unsafe fn compose(&mut self, place: usize) {
        let message = self.messages[place];
        // SAFETY: as `program` says.
        unsafe {
            match self.octet() % 20 {
                0 => answered(map_message_set_subject(message, self.text())),
                1 => answered(map_message_set_date(
                    message,
                    i64::from(self.number()) << 40,
                    self.number(),
                )),
                2 => answered(map_message_set_message_id(message, self.text())),
                3 => answered(map_message_add_references(message, self.text())),
                4 => answered(map_message_add_keywords(message, self.text())),
                5 => answered(map_message_add_field(message, self.text(), self.text())),
                6 => {
                    let (octets, length) = self.octets();
                    answered(map_message_set_text_n(message, octets, length));
                }
                7 => answered(map_message_set_html(message, self.text())),
                8 => {
                    let (octets, length) = self.octets();
                    answered(map_message_attach_octets(message, octets, length, self.text()));
                }
                9 => answered(map_message_attach_file(message, c"/nonexistent/file".as_ptr())),
                10 => answered(map_message_attach(
                    message,
                    self.parts[self.place_of_another(place)],
                )),
                11 => answered(map_message_add_inline(message, self.parts[place])),
                12 => answered(map_message_set_body(message, self.parts[place])),
                13 => answered(map_message_set_body_type(message, self.number())),
                14 => answered(map_message_set_notify(message, self.text())),
                15 => answered(map_message_set_ret(message, self.number())),
                16 => answered(map_message_set_envelope_id(message, self.text())),
                17 => answered(map_message_sign(message, self.signers[place])),
                18 => answered(map_message_set_unix_line_ends(message)),
                _ => answered(map_message_clear_errors(message)),
            }
        }
    }

    fn place_of_another(&self, place: usize) -> usize {
        (place + self.texts.len()) % PLACES
    }

    unsafe fn part(&mut self, place: usize) {
        let part = self.parts[place];
        // SAFETY: as `program` says. A part that is added to itself is copied first, as the header has it.
        unsafe {
            match self.octet() % 11 {
                0 => {
                    let (octets, length) = self.octets();
                    map_part_free(part);
                    self.parts[place] = map_part_text_new(octets, length);
                }
                1 => {
                    let (octets, length) = self.octets();
                    map_part_free(part);
                    self.parts[place] = map_part_octets_new(octets, length);
                }
                2 => {
                    map_part_free(part);
                    self.parts[place] = map_part_message_new(self.messages[place]);
                }
                3 => {
                    map_part_free(part);
                    self.parts[place] = map_part_multipart_new(self.number());
                }
                4 | 5 => answered(map_part_add(part, self.parts[self.place_of_another(place)])),
                6 => answered(map_part_set_media_type(part, self.text())),
                7 => answered(map_part_set_transfer_encoding(part, self.number())),
                8 => answered(map_part_set_disposition(part, self.number())),
                9 => answered(map_part_set_file_name(part, self.text())),
                _ => answered(map_part_set_content_id(part, self.text())),
            }
        }
    }

    unsafe fn finish(&mut self, place: usize) {
        let (message, signer) = (self.messages[place], self.signers[place]);
        // SAFETY: as `program` says.
        unsafe {
            match self.octet() % 6 {
                0 => answered(map_message_build(message)),
                1 => {
                    for recipient in 0..=map_message_recipient_count(message) {
                        is_text(map_message_recipient(message, recipient));
                    }
                    for warning in 0..=map_message_warning_count(message) {
                        is_text(map_message_warning(message, warning));
                    }
                    is_text(map_message_id(message));
                }
                2 => {
                    let mut written: u64 = 0;
                    let reply = map_message_write(message, Some(count), (&raw mut written).cast());
                    let size = map_message_size(message);
                    assert!(
                        reply as i32 != 0 || size == u64::MAX || size == written,
                        "{size}, {written}"
                    );
                }
                3 => {
                    map_dkim_signer_free(signer);
                    self.signers[place] = map_dkim_signer_new(self.text(), self.text(), self.text());
                }
                4 => answered(map_dkim_signer_set_expiry(signer, self.octet().into())),
                _ => {
                    is_text(map_dkim_signer_record(signer));
                    is_text(map_dkim_signer_record_name(signer));
                }
            }
        }
    }

    unsafe fn send(&mut self, place: usize) {
        let agent = self.agents[place];
        // SAFETY: as `program` says.
        unsafe {
            match self.octet() % 8 {
                0 => {
                    map_agent_free(agent);
                    let config = map_config_new();
                    map_config_set_deadline_ms(config, 1000);
                    self.agents[place] = map_agent_new(config);
                    map_config_free(config);
                }
                1 => {
                    let to = RECIPIENTS[usize::from(self.octet()) % RECIPIENTS.len()];
                    map_report_free(self.report);
                    self.report = null_mut();
                    let (from, subject, content) = (self.text(), self.text(), self.text());
                    let reply =
                        map_agent_send(agent, from, to.as_ptr(), subject, content, &raw mut self.report);
                    assert_ne!(reply as i32, 0, "nobody has taken anything");
                }
                2 => {
                    let to = RECIPIENTS[usize::from(self.octet()) % 2];
                    assert_ne!(
                        map_send(self.text(), to.as_ptr(), self.text(), self.text()) as i32,
                        0
                    );
                }
                3 => {
                    let message = map_message_new();
                    map_message_add_from(message, c"a@example.com".as_ptr());
                    map_message_add_to(message, c"b@[127.0.0.1]".as_ptr());
                    map_message_set_subject(message, self.text());
                    map_report_free(self.report);
                    let reply = map_agent_send_message(agent, message, &raw mut self.report);
                    assert_ne!(reply as i32, 0, "nobody has taken anything");
                    map_message_free(message);
                }
                4 => {
                    map_session_free(self.sessions[place]);
                    self.sessions[place] = map_session_new(agent);
                }
                5 => self.command(place),
                6 => look_at(self.report),
                _ => {
                    let number = self.number();
                    is_text(map_reply_name(number));
                    is_text(map_reply_text(number));
                }
            }
        }
    }

    /// A command that cannot end in a mail to anybody but those who are refused.
    unsafe fn command(&mut self, place: usize) {
        let session = self.sessions[place];
        // SAFETY: as `program` says.
        unsafe {
            let to = RECIPIENTS[usize::from(self.octet()) % RECIPIENTS.len()].to_bytes();
            let (octets, length) = self.octets();
            let octets = std::slice::from_raw_parts(octets.cast::<u8>(), length);
            // Whom it is for is said here alone.
            let is_ours = octets.windows(2).any(|two| two.eq_ignore_ascii_case(b"TO"));
            let command = if is_ours || length == 0 {
                [b"CMD_TO: <", to, b">."].concat()
            } else {
                octets.to_vec()
            };
            is_text(map_session_command_n(
                session,
                command.as_ptr().cast(),
                command.len(),
            ));
            look_at(map_session_report(session));
        }
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        // SAFETY: each was made here, or is NULL, and is not used any more.
        unsafe {
            self.sessions
                .into_iter()
                .for_each(|session| map_session_free(session));
            self.agents.into_iter().for_each(|agent| map_agent_free(agent));
            self.configs
                .into_iter()
                .for_each(|config| map_config_free(config));
            self.messages
                .into_iter()
                .for_each(|message| map_message_free(message));
            self.parts.into_iter().for_each(|part| map_part_free(part));
            self.signers
                .into_iter()
                .for_each(|signer| map_dkim_signer_free(signer));
            map_report_free(self.report);
        }
    }
}

/// What the last call said, which a program may print at any time.
fn last_words_can_be_read() {
    for text in [map_last_reply(), map_last_advice()] {
        is_text(text);
    }
}

/// Reads all of a report, and a little beyond its ends.
unsafe fn look_at(report: *const map_report) {
    // SAFETY: as `program` says.
    unsafe {
        for recipient in (0..=map_report_recipient_count(report)).chain([usize::MAX]) {
            let mut length = 0;
            map_report_reply(report, recipient);
            map_report_server_text(report, recipient, &raw mut length);
            is_text(map_report_recipient(report, recipient));
            is_text(map_report_text(report, recipient));
            is_text(map_report_advice(report, recipient));
        }
        for attempt in 0..=map_report_attempt_count(report) {
            is_text(map_report_attempt_detail(report, attempt));
        }
        for warning in 0..=map_report_warning_count(report) {
            is_text(map_report_warning(report, warning));
        }
        is_text(map_report_transcript(report));
    }
}

/// Adds up what a message has.
unsafe extern "C" fn count(_: *const c_char, length: usize, written: *mut c_void) -> i32 {
    // SAFETY: the counter that was given with this function, which nobody else uses meanwhile.
    unsafe { *written.cast::<u64>() += length as u64 };
    0
}

/// A reply that has a name.
fn answered(reply: map_reply) {
    assert!(!map_reply_name(reply as i32).is_null(), "{reply:?}");
}

/// NULL, or UTF-8 that ends.
fn is_text(text: *const c_char) {
    if !text.is_null() {
        // SAFETY: what the library gives is ended by a NUL, and is not freed or changed before this looks at it.
        let text = unsafe { CStr::from_ptr(text) };
        assert!(text.to_str().is_ok(), "{text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::program;

    /// Programs as chance writes them, the same each time.
    #[test]
    fn functions_in_any_order_do_no_harm() {
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..3_000 {
            let data: Vec<u8> = (0..300)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state.to_le_bytes()[3]
                })
                .collect();
            program(&data);
        }
    }

    /// The seeds of the fuzz target, and what it found.
    #[test]
    fn the_corpus_of_the_fuzzer_holds() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/c_api");
        let mut runs = 0;
        for file in std::fs::read_dir(directory).expect("the corpus") {
            program(&std::fs::read(file.expect("a file").path()).expect("its octets"));
            runs += 1;
        }
        assert!(runs >= 5, "only {runs} files in the corpus");
    }
}
