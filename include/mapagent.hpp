/*
 * mapagent.hpp - mapagent.h for C++17: handles that free themselves. Header only; link with mapagent as from C.
 *
 *     #include <mapagent.hpp>
 *     #include <chrono>
 *     #include <iostream>
 *
 *     int main()
 *     {
 *         mapagent::config config;
 *         mapagent::require(config.set_deadline(std::chrono::minutes(1)));
 *         mapagent::agent agent(config);
 *
 *         mapagent::report report = agent.send("cxw@apple.com", "407184933@qq.com", "test", "test content.");
 *         std::cout << report.text() << '\n' << report.advice() << '\n';
 *         return report.reply();
 *     }
 *
 * What becomes of a mail is told by the report and never by an exception. mapagent::require() turns a reply that is not
 * RE_SUCCESS into an exception where that is wanted; without exceptions (-fno-exceptions) there is no require(), and
 * nothing else changes. Handles can be moved, not copied; a handle that was moved from can only be assigned to or destroyed.
 * What threads may do with a handle, and what a child may do after fork(), is said in mapagent.h.
 * It is one file, however long, so that a program includes and ships one.
 */
#ifndef MAPAGENT_HPP
#define MAPAGENT_HPP

#include <mapagent.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

namespace mapagent {

namespace detail {

template <typename T, void (*free)(T *)>
struct deleter {
    void operator()(T *handle) const noexcept { free(handle); }
};

template <typename T, void (*free)(T *)>
using handle = std::unique_ptr<T, deleter<T, free>>;

/* The string, or empty: a view is made of no NULL. */
inline std::string_view view(const char *string) noexcept
{
    return string == nullptr ? std::string_view() : std::string_view(string);
}

inline std::optional<std::string_view> maybe(const char *string) noexcept
{
    return string == nullptr ? std::nullopt : std::optional<std::string_view>(string);
}

/* The string, or NULL, which is refused, if it has a NUL inside: C would take that for the end. */
inline const char *c_str(const std::string &string) noexcept
{
    return string.find('\0') == std::string::npos ? string.c_str() : nullptr;
}

inline std::uint64_t milliseconds(std::chrono::milliseconds duration) noexcept
{
    /* A negative duration becomes one that is too long, and is refused. */
    return static_cast<std::uint64_t>(duration.count());
}

} /* namespace detail */

/* This thread's last reply, and the sentence with it. */
inline std::string last_reply() { return map_last_reply(); }
inline std::string last_advice() { return map_last_advice(); }

#if defined(__cpp_exceptions)

/* A reply other than RE_SUCCESS, thrown by require(). */
class error : public std::runtime_error {
public:
    error(map_reply reply, const std::string &what) : std::runtime_error(what), reply_(reply) {}
    map_reply reply() const noexcept { return reply_; }

private:
    map_reply reply_;
};

/* Throws error unless the call that was made last in this thread succeeded; its reply is the argument. */
inline void require(map_reply reply)
{
    if (reply != RE_SUCCESS)
        throw error(reply, last_reply());
}

#endif

/* A domain's private key, to sign messages by. It is false if there is none: last_reply() says why. */
class dkim_signer {
public:
    dkim_signer(const std::string &domain, const std::string &selector, const std::string &pem)
        : handle_(map_dkim_signer_new(detail::c_str(domain), detail::c_str(selector), detail::c_str(pem)))
    {
    }
    /* Takes a handle over: of map_dkim_signer_file_new(), for one. */
    explicit dkim_signer(map_dkim_signer *handle) noexcept : handle_(handle) {}

    explicit operator bool() const noexcept { return handle_ != nullptr; }
    [[nodiscard]] map_reply set_expiry(std::chrono::seconds time)
    {
        return map_dkim_signer_set_expiry(get(), time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count()));
    }
    std::string_view record_name() const noexcept { return detail::view(map_dkim_signer_record_name(get())); }
    std::string_view record() const noexcept { return detail::view(map_dkim_signer_record(get())); }

    map_dkim_signer *get() const noexcept { return handle_.get(); }

private:
    detail::handle<map_dkim_signer, map_dkim_signer_free> handle_;
};

/* How an agent delivers. The setters return RE_SUCCESS, or RE_MISUSE and change nothing. A string with a NUL inside is
 * refused as NULL is in C. */
class config {
public:
    config() : handle_(map_config_new()) {}

    [[nodiscard]] map_reply set_dns_servers(const std::string &servers)
    {
        return map_config_set_dns_servers(get(), detail::c_str(servers));
    }
    [[nodiscard]] map_reply set_smtp_port(std::int32_t port) { return map_config_set_smtp_port(get(), port); }
    [[nodiscard]] map_reply set_hello_name(const std::string &name)
    {
        return map_config_set_hello_name(get(), detail::c_str(name));
    }
    /* Zero for no deadline in all. */
    [[nodiscard]] map_reply set_deadline(std::chrono::milliseconds deadline)
    {
        return map_config_set_deadline_ms(get(), detail::milliseconds(deadline));
    }
    [[nodiscard]] map_reply set_timeout(std::int32_t which, std::chrono::milliseconds timeout)
    {
        return map_config_set_timeout_ms(get(), which, detail::milliseconds(timeout));
    }
    [[nodiscard]] map_reply set_allow_loopback(bool allow) { return map_config_set_allow_loopback(get(), allow); }
    [[nodiscard]] map_reply set_public_only(bool only) { return map_config_set_public_only(get(), only); }
    [[nodiscard]] map_reply set_require_mx(bool require) { return map_config_set_require_mx(get(), require); }
    /* An address of each family, or one, or an empty string. */
    [[nodiscard]] map_reply set_source_address(const std::string &addresses)
    {
        return map_config_set_source_address(get(), detail::c_str(addresses));
    }
    [[nodiscard]] map_reply set_chunking(std::int32_t which) { return map_config_set_chunking(get(), which); }
    [[nodiscard]] map_reply set_proxy(const std::string &url) { return map_config_set_proxy(get(), detail::c_str(url)); }
    [[nodiscard]] map_reply set_port25_check(bool on) { return map_config_set_port25_check(get(), on); }
    [[nodiscard]] map_reply set_port25_probe_hosts(const std::string &mail, const std::string &web)
    {
        return map_config_set_port25_probe_hosts(get(), detail::c_str(mail), detail::c_str(web));
    }
    [[nodiscard]] map_reply set_dns_trust_anchor(const std::string &records)
    {
        return map_config_set_dns_trust_anchor(get(), detail::c_str(records));
    }
    [[nodiscard]] map_reply set_https_port(std::int32_t port) { return map_config_set_https_port(get(), port); }
    [[nodiscard]] map_reply set_require_tls(bool require) { return map_config_set_require_tls(get(), require); }
    [[nodiscard]] map_reply set_dane(bool on) { return map_config_set_dane(get(), on); }
    [[nodiscard]] map_reply set_mta_sts(bool on) { return map_config_set_mta_sts(get(), on); }
    [[nodiscard]] map_reply add_tls_roots(const std::string &pem)
    {
        return map_config_add_tls_roots(get(), detail::c_str(pem));
    }
    [[nodiscard]] map_reply set_platform_roots(bool trust) { return map_config_set_platform_roots(get(), trust); }
    [[nodiscard]] map_reply set_relay(const std::string &host, std::int32_t port, std::int32_t security)
    {
        return map_config_set_relay(get(), detail::c_str(host), port, security);
    }
    /* Back to the recipients' own mail hosts. */
    [[nodiscard]] map_reply set_no_relay() { return map_config_set_relay(get(), "", 0, 0); }
    [[nodiscard]] map_reply set_relay_login(const std::string &user, const std::string &secret, std::int32_t kind)
    {
        return map_config_set_relay_login(get(), detail::c_str(user), detail::c_str(secret), kind);
    }
    /* An agent takes no configuration of which something was refused, until this is called. */
    map_reply clear_errors() { return map_config_clear_errors(get()); }

    [[nodiscard]] map_reply add_dkim_signer(const dkim_signer &signer)
    {
        return map_config_add_dkim_signer(get(), signer.get());
    }

    map_config *get() const noexcept { return handle_.get(); }

private:
    detail::handle<map_config, map_config_free> handle_;
};

/* What happened to a mail. Without an index a question is about all recipients in one. Views live as long as
 * the report, wherever it is moved. */
class report {
public:
    /* Takes the handle over; what map_last_reply() says stands in for a report that there is none of. */
    report(map_reply reply, map_report *handle)
        : handle_(handle), reply_(reply), said_(handle == nullptr ? new said{last_reply(), last_advice()} : nullptr)
    {
    }

    /* False when there is no report behind the reply, which happens only with RE_INTERNAL and RE_MISUSE. */
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    map_reply reply() const noexcept { return reply_; }
    map_reply reply(std::size_t recipient) const noexcept { return map_report_reply(get(), recipient); }
    std::string_view text() const noexcept { return said_ ? said_->text : text(MAP_SUMMARY); }
    std::string_view text(std::size_t recipient) const noexcept
    {
        return detail::view(map_report_text(get(), recipient));
    }
    std::string_view advice() const noexcept { return said_ ? said_->advice : advice(MAP_SUMMARY); }
    std::string_view advice(std::size_t recipient) const noexcept
    {
        return detail::view(map_report_advice(get(), recipient));
    }

    std::size_t recipients() const noexcept { return map_report_recipient_count(get()); }
    std::string_view recipient(std::size_t recipient) const noexcept
    {
        return detail::view(map_report_recipient(get(), recipient));
    }
    map_answer delivered(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return map_report_delivered(get(), recipient);
    }
    bool is_relayed(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return map_report_is_relayed(get(), recipient);
    }
    bool is_transient(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return map_report_is_transient(get(), recipient);
    }
    std::optional<std::chrono::milliseconds> retry_after(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        const std::uint64_t wait = map_report_retry_after_ms(get(), recipient);
        return wait == 0 ? std::nullopt : std::optional<std::chrono::milliseconds>(wait);
    }
    std::optional<int> code(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        const std::int32_t code = map_report_code(get(), recipient);
        return code < 0 ? std::nullopt : std::optional<int>(code);
    }
    std::optional<std::string_view> enhanced(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return detail::maybe(map_report_enhanced(get(), recipient));
    }
    /* Untrusted octets: see map_report_server_text(). */
    std::optional<std::string_view> server_text(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        std::size_t length = 0;
        const char *text = map_report_server_text(get(), recipient, &length);
        return text == nullptr ? std::nullopt : std::optional<std::string_view>(std::in_place, text, length);
    }
    map_stage stage(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return map_report_stage(get(), recipient);
    }
    std::optional<std::string_view> host(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return detail::maybe(map_report_host(get(), recipient));
    }
    std::optional<std::string_view> address(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return detail::maybe(map_report_address(get(), recipient));
    }
    std::optional<std::string_view> tls_version(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return detail::maybe(map_report_tls_version(get(), recipient));
    }
    std::optional<std::string_view> tls_cipher_suite(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return detail::maybe(map_report_tls_cipher_suite(get(), recipient));
    }
    map_verified tls_verified(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return map_report_tls_verified(get(), recipient);
    }
    std::optional<std::string_view> tls_problem(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return detail::maybe(map_report_tls_problem(get(), recipient));
    }
    map_tls_policy tls_policy(std::size_t recipient = MAP_SUMMARY) const noexcept
    {
        return map_report_tls_policy(get(), recipient);
    }
    std::optional<std::string_view> message_id() const noexcept
    {
        return detail::maybe(map_report_message_id(get()));
    }
    std::string_view transcript() const noexcept { return detail::view(map_report_transcript(get())); }
    std::size_t warnings() const noexcept { return map_report_warning_count(get()); }
    std::string_view warning(std::size_t warning) const noexcept
    {
        return detail::view(map_report_warning(get(), warning));
    }

    map_port25 port25() const noexcept { return map_report_port25(get()); }
    std::optional<std::string_view> port25_text() const noexcept
    {
        return detail::maybe(map_report_port25_text(get()));
    }
    std::chrono::milliseconds port25_age() const noexcept
    {
        return std::chrono::milliseconds(map_report_port25_age_ms(get()));
    }
    std::size_t port25_probes() const noexcept { return map_report_port25_probe_count(get()); }
    std::string_view port25_probe(std::size_t probe) const noexcept
    {
        return detail::view(map_report_port25_probe(get(), probe));
    }

    /* The attempts are read by the functions of mapagent.h, from this handle. */
    const map_report *get() const noexcept { return handle_.get(); }

private:
    /* On the heap, because a string may hold its text in itself: views of it would not outlive a move. */
    struct said {
        std::string text;
        std::string advice;
    };

    detail::handle<map_report, map_report_free> handle_;
    map_reply reply_;
    std::unique_ptr<const said> said_;
};

class message;

/* A part of a message. What is wrong with it is remembered, and refused by the message or the part that it is given to. It
 * is false if there is none: last_reply() says why, also after a chain of calls that went on with it. */
class part {
public:
    /* Takes a handle over: of map_part_reader_new(), for one. */
    explicit part(map_part *handle) noexcept : handle_(handle) {}

    explicit operator bool() const noexcept { return handle_ != nullptr; }

    static part text(std::string_view text) { return part(map_part_text_new(text.data(), text.size())); }
    static part html(std::string_view html) { return part(map_part_html_new(html.data(), html.size())); }
    static part octets(std::string_view data) { return part(map_part_octets_new(data.data(), data.size())); }
    static part file(const std::string &path) { return part(map_part_file_new(detail::c_str(path))); }
    static part multipart(std::int32_t kind) { return part(map_part_multipart_new(kind)); }
    /* Puts the message together. */
    inline static part of(message &message);
    inline static part of(message &&message);

    part &add(const part &inner)
    {
        if (*this)
            map_part_add(get(), inner.get());
        return *this;
    }
    part &media_type(const std::string &media_type)
    {
        if (*this)
            map_part_set_media_type(get(), detail::c_str(media_type));
        return *this;
    }
    part &transfer_encoding(std::int32_t encoding)
    {
        if (*this)
            map_part_set_transfer_encoding(get(), encoding);
        return *this;
    }
    part &disposition(std::int32_t disposition)
    {
        if (*this)
            map_part_set_disposition(get(), disposition);
        return *this;
    }
    part &file_name(const std::string &name)
    {
        if (*this)
            map_part_set_file_name(get(), detail::c_str(name));
        return *this;
    }
    part &content_id(const std::string &id)
    {
        if (*this)
            map_part_set_content_id(get(), detail::c_str(id));
        return *this;
    }
    part &description(const std::string &description)
    {
        if (*this)
            map_part_set_description(get(), detail::c_str(description));
        return *this;
    }

    map_part *get() const noexcept { return handle_.get(); }

private:
    detail::handle<map_part, map_part_free> handle_;
};

/* A message, made of its pieces or, by raw() and its kin, of octets. What is wrong with a piece is remembered: build() and
 * every send answer with the first refusal, and nothing goes that lacks something. So calls can be chained:
 *
 *     mapagent::message message;
 *     message.from("Anna <anna@example.com>").to("bob@example.net").subject("The report").attach_file("report.pdf");
 *
 * It is false if there is none: last_reply() says why, also after a chain of calls that went on with it.
 */
class message {
public:
    message() : handle_(map_message_new()) {}
    /* Takes a handle over: of map_message_raw_reader_new(), for one. */
    explicit message(map_message *handle) noexcept : handle_(handle) {}

    explicit operator bool() const noexcept { return handle_ != nullptr; }

    static message raw(std::string_view octets) { return message(map_message_raw_new(octets.data(), octets.size())); }
    static message raw_file(const std::string &path) { return message(map_message_raw_file_new(detail::c_str(path))); }

    message &from(const std::string &addresses) { return then(map_message_add_from, addresses); }
    message &sender(const std::string &address) { return then(map_message_set_sender, address); }
    message &reply_to(const std::string &addresses) { return then(map_message_add_reply_to, addresses); }
    message &to(const std::string &addresses) { return then(map_message_add_to, addresses); }
    message &cc(const std::string &addresses) { return then(map_message_add_cc, addresses); }
    message &bcc(const std::string &addresses) { return then(map_message_add_bcc, addresses); }
    message &envelope_from(const std::string &mailbox) { return then(map_message_set_envelope_from, mailbox); }
    message &subject(const std::string &subject) { return then(map_message_set_subject, subject); }
    message &date(std::chrono::system_clock::time_point date, std::chrono::minutes offset = std::chrono::minutes(0))
    {
        const auto since = std::chrono::duration_cast<std::chrono::seconds>(date.time_since_epoch());
        if (*this)
            map_message_set_date(get(), since.count(), static_cast<std::int32_t>(offset.count()));
        return *this;
    }
    message &message_id(const std::string &id) { return then(map_message_set_message_id, id); }
    message &in_reply_to(const std::string &ids) { return then(map_message_add_in_reply_to, ids); }
    message &references(const std::string &ids) { return then(map_message_add_references, ids); }
    message &comments(const std::string &comments) { return then(map_message_add_comments, comments); }
    message &keywords(const std::string &keywords) { return then(map_message_add_keywords, keywords); }
    message &field(const std::string &name, const std::string &value)
    {
        if (*this)
            map_message_add_field(get(), detail::c_str(name), detail::c_str(value));
        return *this;
    }
    /* Nobody in cc or bcc if those are empty, and no sender. */
    message &resent(const std::string &from, const std::string &to, const std::string &cc = "",
                    const std::string &bcc = "", const std::string &sender = "")
    {
        const auto maybe = [](const std::string &text) { return text.empty() ? nullptr : text.c_str(); };
        if (*this)
            map_message_add_resent(get(), detail::c_str(from), maybe(sender), maybe(to), maybe(cc), maybe(bcc));
        return *this;
    }
    message &text(std::string_view text)
    {
        if (*this)
            map_message_set_text_n(get(), text.data(), text.size());
        return *this;
    }
    message &html(std::string_view html)
    {
        if (*this)
            map_message_set_html_n(get(), html.data(), html.size());
        return *this;
    }
    message &attach_file(const std::string &path) { return then(map_message_attach_file, path); }
    message &attach_octets(std::string_view data, const std::string &file_name)
    {
        if (*this)
            map_message_attach_octets(get(), data.data(), data.size(), detail::c_str(file_name));
        return *this;
    }
    message &attach(const part &part)
    {
        if (*this)
            map_message_attach(get(), part.get());
        return *this;
    }
    /* "inline" is a word of the language. */
    message &add_inline(const part &part)
    {
        if (*this)
            map_message_add_inline(get(), part.get());
        return *this;
    }
    message &body(const part &part)
    {
        if (*this)
            map_message_set_body(get(), part.get());
        return *this;
    }
    message &body_type(std::int32_t body_type)
    {
        if (*this)
            map_message_set_body_type(get(), body_type);
        return *this;
    }

    /* Of octets only. */
    message &envelope(const std::string &from, const std::string &recipients)
    {
        if (*this)
            map_message_set_envelope(get(), detail::c_str(from), detail::c_str(recipients));
        return *this;
    }
    message &blind_copies(std::int32_t which)
    {
        if (*this)
            map_message_set_blind_copies(get(), which);
        return *this;
    }
    message &unix_line_ends()
    {
        if (*this)
            map_message_set_unix_line_ends(get());
        return *this;
    }
    message &strict()
    {
        if (*this)
            map_message_set_strict(get());
        return *this;
    }

    message &null_reverse_path()
    {
        if (*this)
            map_message_set_null_reverse_path(get());
        return *this;
    }
    message &notify(const std::string &notify) { return then(map_message_set_notify, notify); }
    message &original_recipient(const std::string &recipient, const std::string &original)
    {
        if (*this)
            map_message_add_original_recipient(get(), detail::c_str(recipient), detail::c_str(original));
        return *this;
    }
    message &ret(std::int32_t ret)
    {
        if (*this)
            map_message_set_ret(get(), ret);
        return *this;
    }
    message &envelope_id(const std::string &id) { return then(map_message_set_envelope_id, id); }
    message &require_tls()
    {
        if (*this)
            map_message_set_require_tls(get());
        return *this;
    }
    message &sign(const dkim_signer &signer)
    {
        if (*this)
            map_message_sign(get(), signer.get());
        return *this;
    }

    /* The same message for some of its recipients; false if one of them is none: last_reply() says who. It can be sent, not
     * changed. */
    message for_recipients(const std::vector<std::string> &recipients)
    {
        std::vector<const char *> names;
        for (const std::string &name : recipients)
            names.push_back(detail::c_str(name));
        map_message *rest = nullptr;
        map_message_for_recipients(get(), names.data(), names.size(), &rest);
        return message(rest);
    }
    message &clear_errors()
    {
        if (*this)
            map_message_clear_errors(get());
        return *this;
    }
    [[nodiscard]] map_reply build() { return map_message_build(get()); }
    /* Of a message that was built, sent or written. */
    std::size_t recipients() const noexcept { return map_message_recipient_count(get()); }
    std::string_view recipient(std::size_t recipient) const noexcept
    {
        return detail::view(map_message_recipient(get(), recipient));
    }
    std::string_view id() const noexcept { return detail::view(map_message_id(get())); }
    std::optional<std::uint64_t> size() const noexcept
    {
        const std::uint64_t size = map_message_size(get());
        return size == MAP_SIZE_UNKNOWN ? std::nullopt : std::optional<std::uint64_t>(size);
    }
    map_body_type needs_body_type() const noexcept { return map_message_body_type(get()); }
    bool needs_smtputf8() const noexcept { return map_message_needs_smtputf8(get()); }
    std::size_t warnings() const noexcept { return map_message_warning_count(get()); }
    std::string_view warning(std::size_t warning) const noexcept
    {
        return detail::view(map_message_warning(get(), warning));
    }
    /* Gives the octets to a function that takes a std::string_view and returns whether to go on. It must not throw. */
    template <typename Take>
    [[nodiscard]] map_reply write(Take &&take)
    {
        return map_message_write(get(), &passed<std::remove_reference_t<Take>>, static_cast<void *>(&take));
    }
    [[nodiscard]] map_reply write_file(const std::string &path)
    {
        return map_message_write_file(get(), detail::c_str(path));
    }

    map_message *get() const noexcept { return handle_.get(); }

private:
    message &then(map_reply (*set)(map_message *, const char *), const std::string &text)
    {
        if (*this)
            set(get(), detail::c_str(text));
        return *this;
    }
    template <typename Take>
    static std::int32_t passed(const char *data, std::size_t length, void *take) noexcept
    {
        return (*static_cast<Take *>(take))(std::string_view(data, length)) ? 0 : 1;
    }

    detail::handle<map_message, map_message_free> handle_;
};

inline part part::of(message &message)
{
    return part(map_part_message_new(message.get()));
}
inline part part::of(message &&message)
{
    return of(message);
}

/* How far a send is; lasts as long as the call that it is handed to. */
class progress {
public:
    explicit progress(const map_progress *handle) noexcept : handle_(handle) {}

    map_stage stage() const noexcept { return map_progress_stage(handle_); }
    std::uint64_t sent() const noexcept { return map_progress_sent(handle_); }
    std::optional<std::uint64_t> total() const noexcept
    {
        const std::uint64_t total = map_progress_total(handle_);
        return total == MAP_SIZE_UNKNOWN ? std::nullopt : std::optional<std::uint64_t>(total);
    }

private:
    const map_progress *handle_;
};

namespace detail {

template <typename Tell>
std::int32_t told(const map_progress *handle, void *tell) noexcept
{
    return (*static_cast<Tell *>(tell))(progress(handle)) ? 0 : 1;
}

template <typename Tell>
report send_telling(const map_agent *agent, std::string_view from, std::string_view to, std::string_view subject,
                    std::string_view content, Tell &tell)
{
    map_report *handle = nullptr;
    const map_reply reply = map_send_with_progress_n(agent, from.data(), from.size(), to.data(), to.size(), subject.data(),
                                                     subject.size(), content.data(), content.size(), &told<Tell>,
                                                     static_cast<void *>(&tell), &handle);
    return report(reply, handle);
}

template <typename Tell>
report send_telling(const map_agent *agent, message &message, Tell &tell)
{
    map_report *handle = nullptr;
    const map_reply reply = map_send_message_with_progress(agent, message.get(), &told<Tell>, static_cast<void *>(&tell),
                                                           &handle);
    return report(reply, handle);
}

} /* namespace detail */

/* Delivers mail by a configuration of its own. Any number of threads may send by one agent at once. */
class agent {
public:
    explicit agent(const config &config) : handle_(map_agent_new(config.get())) {}

    report send(std::string_view from, std::string_view to, std::string_view subject, std::string_view content) const
    {
        map_report *handle = nullptr;
        const map_reply reply =
            map_agent_send_n(get(), from.data(), from.size(), to.data(), to.size(), subject.data(), subject.size(),
                             content.data(), content.size(), &handle);
        return report(reply, handle);
    }
    /* The same; a function that takes a progress, every MAP_PROGRESS_INTERVAL_MS, returns whether to go on. It must not
       throw. */
    template <typename Tell>
    report send(std::string_view from, std::string_view to, std::string_view subject, std::string_view content,
                Tell &&tell) const
    {
        /* What takes a NULL sends by the agent that all of the program shares. */
        return get() == nullptr ? send(from, to, subject, content)
                                : detail::send_telling(get(), from, to, subject, content, tell);
    }

    /* To all of its recipients. The message is put together, and no other thread may use it meanwhile. */
    report send(message &message) const
    {
        map_report *handle = nullptr;
        const map_reply reply = map_agent_send_message(get(), message.get(), &handle);
        return report(reply, handle);
    }
    report send(message &&message) const { return send(message); }
    /* The same, with a function that is told how far it is. */
    template <typename Tell>
    report send(message &message, Tell &&tell) const
    {
        /* What takes a NULL sends by the agent that all of the program shares. */
        return get() == nullptr ? send(message) : detail::send_telling(get(), message, tell);
    }
    template <typename Tell>
    report send(message &&message, Tell &&tell) const
    {
        /* What takes a NULL sends by the agent that all of the program shares. */
        return get() == nullptr ? send(message) : detail::send_telling(get(), message, tell);
    }

    map_agent *get() const noexcept { return handle_.get(); }

private:
    detail::handle<map_agent, map_agent_free> handle_;
};

/* Sends by the agent that all of the program shares. */
inline report send(std::string_view from, std::string_view to, std::string_view subject, std::string_view content)
{
    map_report *handle = nullptr;
    const map_reply reply =
        map_send_report_n(from.data(), from.size(), to.data(), to.size(), subject.data(), subject.size(), content.data(),
                          content.size(), &handle);
    return report(reply, handle);
}
template <typename Tell>
report send(std::string_view from, std::string_view to, std::string_view subject, std::string_view content, Tell &&tell)
{
    return detail::send_telling(nullptr, from, to, subject, content, tell);
}

inline report send(message &message)
{
    map_report *handle = nullptr;
    const map_reply reply = map_send_message(message.get(), &handle);
    return report(reply, handle);
}
inline report send(message &&message)
{
    return send(message);
}
template <typename Tell>
report send(message &message, Tell &&tell)
{
    return detail::send_telling(nullptr, message, tell);
}
template <typename Tell>
report send(message &&message, Tell &&tell)
{
    return detail::send_telling(nullptr, message, tell);
}

/* Sets how send() and map_send() deliver from now on. */
[[nodiscard]] inline map_reply configure_default(const config &config)
{
    return map_configure_default(config.get());
}

/* One send of a queue. Freeing it lets the send go on. It is false if nothing was submitted: last_reply() says why. */
class job {
public:
    explicit job(map_job *handle) noexcept : handle_(handle) {}

    explicit operator bool() const noexcept { return handle_ != nullptr; }
    /* From any thread, at once. The send still ends with a report. */
    void cancel() const noexcept { map_job_cancel(get()); }
    map_stage stage() const noexcept { return map_job_stage(get()); }
    std::uint64_t sent() const noexcept { return map_job_sent(get()); }
    std::optional<std::uint64_t> total() const noexcept
    {
        const std::uint64_t total = map_job_total(get());
        return total == MAP_SIZE_UNKNOWN ? std::nullopt : std::optional<std::uint64_t>(total);
    }

    map_job *get() const noexcept { return handle_.get(); }

private:
    detail::handle<map_job, map_job_free> handle_;
};

/* Sends without blocking. A function that was submitted is called with the report by dispatch() or drain(), in their thread;
 * it is destroyed after that, with the queue, or at once if nothing was submitted. It must not throw. The forms that return
 * a future set it in dispatch() or drain(), too: wait for it in another thread than the one that dispatches. A future of a
 * queue that was freed is broken. An agent of NULL sends as map_send() does; a string with a NUL inside is an empty field.
 * It is false if there is none: last_reply() says why. */
class queue {
public:
    using callback = std::function<void(report)>;

    queue() : handle_(map_queue_new()) {}

    explicit operator bool() const noexcept { return handle_ != nullptr; }
    std::int32_t fd() const noexcept { return map_queue_fd(get()); }
    [[nodiscard]] map_reply set_wakeup(map_wakeup_fn wake, void *user_data)
    {
        return map_queue_set_wakeup(get(), wake, user_data);
    }
    std::size_t dispatch() { return map_queue_dispatch(get()); }
    std::size_t pending() const noexcept { return map_queue_pending(get()); }
    /* How many sends are left. */
    std::size_t drain(std::chrono::milliseconds time)
    {
        const auto most = std::chrono::milliseconds(UINT32_MAX);
        const auto least = std::chrono::milliseconds(0);
        return map_queue_drain(get(), static_cast<std::uint32_t>((time < least ? least : time < most ? time : most).count()));
    }

    job submit(const agent *agent, const std::string &from, const std::string &to, const std::string &subject,
               const std::string &content, callback done)
    {
        if (is_empty(agent))
            return job(nullptr);
        return job(map_submit(agent == nullptr ? nullptr : agent->get(), detail::c_str(from), detail::c_str(to),
                              detail::c_str(subject), detail::c_str(content), get(), call, kept(std::move(done)), release));
    }
    job submit(const agent *agent, const message &message, callback done)
    {
        if (is_empty(agent))
            return job(nullptr);
        return job(map_submit_message(agent == nullptr ? nullptr : agent->get(), message.get(), get(), call,
                                      kept(std::move(done)), release));
    }
    std::future<report> submit(const agent *agent, const std::string &from, const std::string &to,
                               const std::string &subject, const std::string &content)
    {
        return promised([&](callback done) { return submit(agent, from, to, subject, content, std::move(done)); });
    }
    std::future<report> submit(const agent *agent, const message &message)
    {
        return promised([&](callback done) { return submit(agent, message, std::move(done)); });
    }

    map_queue *get() const noexcept { return handle_.get(); }

private:
    /* A handle that was moved from must not send by the agent that all of the program shares: answers RE_MISUSE. */
    static bool is_empty(const agent *agent)
    {
        return agent != nullptr && agent->get() == nullptr &&
               map_agent_send(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr) != RE_SUCCESS;
    }
    static void *kept(callback &&function) { return new callback(std::move(function)); }
    static void call(map_reply reply, map_report *handle, void *function) noexcept
    {
        (*static_cast<callback *>(function))(report(reply, handle));
    }
    static void release(void *function) noexcept { delete static_cast<callback *>(function); }

    template <typename Submit>
    static std::future<report> promised(Submit &&submit)
    {
        auto promise = std::make_shared<std::promise<report>>();
        std::future<report> future = promise->get_future();
        if (!submit([promise](report report) { promise->set_value(std::move(report)); })) {
            const bool is_local = last_reply().compare(0, 8, "RE_LOCAL") == 0;
            promise->set_value(report(is_local ? RE_LOCAL : RE_MISUSE, nullptr));
        }
        return future;
    }

    detail::handle<map_queue, map_queue_free> handle_;
};

} /* namespace mapagent */

#endif /* MAPAGENT_HPP */
