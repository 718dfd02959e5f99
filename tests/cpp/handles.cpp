// handles DNS PORT: handles move and free themselves; reports tell all; require() throws.
#include <mapagent.hpp>
#include <mapagent.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <type_traits>
#include <utility>

int one();

#define CHECK(condition)                                                                                          \
    do {                                                                                                          \
        if (!(condition)) {                                                                                       \
            std::cerr << __FILE__ << ':' << __LINE__ << ": not so: " << #condition << '\n' << map_last_reply()    \
                      << '\n';                                                                                    \
            std::exit(1);                                                                                         \
        }                                                                                                         \
    } while (0)

static_assert(!std::is_copy_constructible_v<mapagent::config> && std::is_nothrow_move_constructible_v<mapagent::config>);
static_assert(!std::is_copy_constructible_v<mapagent::agent> && std::is_nothrow_move_constructible_v<mapagent::agent>);
static_assert(!std::is_copy_constructible_v<mapagent::report> && std::is_nothrow_move_constructible_v<mapagent::report>);
static_assert(!std::is_convertible_v<mapagent::report, bool>);

// Sending puts a message together: it is no use of one that is const.
template <typename Message, typename = void>
struct is_sent : std::false_type {};
template <typename Message>
struct is_sent<Message, std::void_t<decltype(std::declval<const mapagent::agent &>().send(std::declval<Message>()))>>
    : std::true_type {};
static_assert(is_sent<mapagent::message &>::value && is_sent<mapagent::message>::value);
static_assert(!is_sent<const mapagent::message &>::value);

static mapagent::agent agent_again(const mapagent::config &config)
{
    return mapagent::agent(config);
}

static void messages(const mapagent::agent &agent)
{
    mapagent::message message;
    message.from("Alice <alice@sender.example>").to("Bob <bob@taken.example>").cc("carol@taken.example");
    message.subject("message").text("text").html("<img src=\"cid:a@b.example\">");
    message.add_inline(mapagent::part::octets("x").content_id("a@b.example").file_name("a.png"));
    message.attach_octets("data", "Bericht.txt").field("X-Own", "own");
    message.date(std::chrono::system_clock::from_time_t(0), std::chrono::minutes(60));
    CHECK(message.build() == RE_SUCCESS && message.recipients() == 2);
    CHECK(message.recipient(1) == "carol@taken.example" && !message.id().empty());
    CHECK(message.needs_body_type() == MAP_BODY_7BIT && !message.needs_smtputf8() && message.warnings() == 0);

    std::string octets;
    CHECK(message.write([&octets](std::string_view block) { return octets += block, true; }) == RE_SUCCESS);
    CHECK(octets.size() == message.size() && octets.find("Thu, 1 Jan 1970 01:00:00 +0100") != std::string::npos);
    CHECK(message.write([](std::string_view) { return false; }) == RE_CANCELLED);

    std::uint64_t sent = 0;
    auto tell = [&sent](mapagent::progress progress) { return sent = progress.sent(), true; };
    mapagent::report report = agent.send(message, tell);
    CHECK(report.reply() == RE_SUCCESS && report.recipients() == 2 && sent == message.size());
    CHECK(agent.send("alice@sender.example", "bob@taken.example", "told", "content", tell).reply() == RE_SUCCESS);
    CHECK(sent > 0);
    auto stop = [](mapagent::progress) { return false; };
    CHECK(mapagent::send("alice@sender.example", "bob@slow.example", "stopped", "content", stop).reply() == RE_CANCELLED);
    CHECK(agent.send(mapagent::message::raw(octets)).reply() == RE_SUCCESS);
    CHECK(mapagent::send(message).reply() == RE_SUCCESS);

    // The same message for some of its recipients, and for nobody else.
    mapagent::message rest = message.for_recipients({std::string(message.recipient(1))});
    CHECK(rest && rest.build() == RE_SUCCESS && rest.recipients() == 1 && rest.id() == message.id());
    CHECK(rest.recipient(0) == message.recipient(1) && rest.size() == message.size());
    CHECK(!message.for_recipients({"mallory@taken.example"}) && !message.for_recipients({}));

    // What is wrong with a part or a piece is not left out.
    message.attach(mapagent::part::multipart(MAP_MULTIPART_MIXED).add(mapagent::part::file("/nowhere")));
    report = agent.send(message);
    CHECK(!report && report.reply() == RE_MISUSE);
    CHECK(message.clear_errors().build() == RE_SUCCESS);
    message.subject(std::string("a\0b", 3));
    CHECK(message.build() == RE_MISUSE);
    mapagent::message nobody;
    CHECK(nobody.to("no address").build() == RE_INVALID_FORMAT);
    const mapagent::part forwarded = mapagent::part::of(nobody);
    CHECK(!forwarded && message && mapagent::part::of(mapagent::message::raw(octets)));

    // Why there is none is still known where a chain ends.
    CHECK(!mapagent::part::file("/nowhere").file_name("a.png").description("a picture"));
    CHECK(mapagent::last_reply().find("/nowhere: No such file") != std::string::npos);
    CHECK(!mapagent::message::raw_file("/nowhere").strict().notify("NEVER"));
    CHECK(mapagent::last_reply().find("/nowhere: No such file") != std::string::npos);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    CHECK(one() == 1);

    mapagent::config config;
    CHECK(config.set_dns_servers(argv[1]) == RE_SUCCESS);
    CHECK(config.set_smtp_port(std::atoi(argv[2])) == RE_SUCCESS);
    CHECK(config.set_allow_loopback(true) == RE_SUCCESS);
    CHECK(config.set_public_only(false) == RE_SUCCESS);
    CHECK(config.set_require_mx(false) == RE_SUCCESS);
    CHECK(config.set_chunking(MAP_CHUNKING_AVOID) == RE_SUCCESS && config.set_chunking(3) == RE_MISUSE);
    CHECK(config.set_port25_check(true) == RE_SUCCESS);
    CHECK(config.set_hello_name("client.example") == RE_SUCCESS);
    CHECK(config.set_deadline(std::chrono::minutes(2)) == RE_SUCCESS);
    CHECK(config.set_deadline(std::chrono::milliseconds(-1)) == RE_MISUSE);
    CHECK(config.set_timeout(MAP_TIMEOUT_CONNECT, std::chrono::seconds(5)) == RE_SUCCESS);

    CHECK(config.set_source_address("") == RE_SUCCESS);
    CHECK(config.set_proxy("socks4://proxy.example") == RE_MISUSE);
    CHECK(config.set_proxy("") == RE_SUCCESS);
    CHECK(config.set_port25_probe_hosts("mx.probe host.example", "192.0.2.1") == RE_SUCCESS);
    CHECK(config.set_dns_trust_anchor("no key") == RE_MISUSE);
    CHECK(config.set_https_port(8443) == RE_SUCCESS);
    CHECK(config.set_require_tls(false) == RE_SUCCESS);
    CHECK(config.set_dane(true) == RE_SUCCESS);
    CHECK(config.set_mta_sts(true) == RE_SUCCESS);
    CHECK(config.add_tls_roots("no certificate") == RE_MISUSE);
    CHECK(config.set_platform_roots(true) == RE_SUCCESS);
    CHECK(config.set_relay("mail.example.net", 465, MAP_RELAY_IMPLICIT_TLS) == RE_SUCCESS);
    CHECK(config.set_relay_login("alice", "s3cret", MAP_SECRET_PASSWORD) == RE_SUCCESS);
    // Not "s3cret", nor no relay.
    const std::string cut("s3cret\0word", 11), nothing(1, '\0');
    CHECK(config.set_relay_login("alice", cut, MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(mapagent::last_reply() == "RE_MISUSE: <secret is NULL>.");
    CHECK(config.set_relay_login(cut, "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(config.set_relay(nothing, 465, MAP_RELAY_IMPLICIT_TLS) == RE_MISUSE);
    CHECK(config.set_dns_servers(nothing) == RE_MISUSE && config.set_hello_name(nothing) == RE_MISUSE);
    CHECK(config.set_source_address(nothing) == RE_MISUSE && config.set_proxy(nothing) == RE_MISUSE);
    CHECK(config.set_port25_probe_hosts(nothing, "192.0.2.1") == RE_MISUSE);
    CHECK(config.set_port25_probe_hosts("mx.probe host.example", nothing) == RE_MISUSE);
    CHECK(config.set_dns_trust_anchor(nothing) == RE_MISUSE);
    CHECK(mapagent::last_reply().find("is NULL") != std::string::npos);
    CHECK(config.add_tls_roots(nothing) == RE_MISUSE);
    CHECK(mapagent::last_reply().find("is NULL") != std::string::npos);
    CHECK(config.set_no_relay() == RE_SUCCESS);

    // It is not sent by the shared agent instead.
    mapagent::agent none(config);
    CHECK(mapagent::last_reply() == "RE_MISUSE: <3 is not a map_chunking>.");
    mapagent::message never;
    never.from("alice@sender.example").to("bob@taken.example").text("never");
    CHECK(none.send("alice@sender.example", "bob@taken.example", "never", "c").reply() == RE_MISUSE);
    CHECK(none.send(never).reply() == RE_MISUSE);
    CHECK(none.send(never, [](mapagent::progress) { return true; }).reply() == RE_MISUSE);

    CHECK(config.clear_errors() == RE_SUCCESS);
    mapagent::agent first(config);
    mapagent::agent agent(std::move(first));
    mapagent::report report = agent.send("alice@sender.example", "bob@taken.example", "from C++", "content");
    CHECK(report && report.reply() == RE_SUCCESS && report.text() == "RE_SUCCESS.");
    CHECK(report.delivered() == MAP_YES && !report.is_transient() && !report.retry_after());
    CHECK(report.code() == 250 && report.enhanced() == "2.0.0" && report.stage() == MAP_STAGE_CONTENT);
    CHECK(report.host() == "mx.taken.example" && report.address() == "127.0.0.2");
    CHECK(!report.is_relayed() && !report.tls_version() && !report.tls_cipher_suite());
    CHECK(report.tls_verified() == MAP_VERIFIED_NONE && report.tls_policy() == MAP_TLS_POLICY_NONE);
    CHECK(report.port25() == MAP_PORT25_NOT_ASKED && !report.port25_text() && report.port25_probes() == 0);
    CHECK(report.port25_age() == std::chrono::milliseconds(0));
    CHECK(report.recipients() == 1 && report.recipient(0) == "bob@taken.example");
    CHECK(report.server_text()->find("queued as 4711") != std::string_view::npos);
    CHECK(report.transcript().find("S: RE_SUCCESS.\n") != std::string_view::npos && report.message_id());

    // Views go with a report that is moved, and short texts do, too, which a string would hold in itself.
    const std::string_view text = report.text(), advice = report.advice();
    const mapagent::report kept = std::move(report);
    CHECK(kept.text().data() == text.data() && kept.advice().data() == advice.data());
    CHECK(text == "RE_SUCCESS." && !advice.empty());

    report = agent.send("alice@sender.example", "bob@greylisting.example", "from C++", "content");
    CHECK(report.reply() == RE_BADREPLY && report.is_transient() && report.retry_after() == std::chrono::minutes(15));

    // A string that is no C string: the NUL inside is refused and not taken for the end.
    report = agent.send("alice@sender.example", std::string("bob@taken.example\0.evil.example", 31), "s", "c");
    CHECK(report.reply() == RE_INVALID_FORMAT && !report.code() && !report.host() && !report.message_id());

    const mapagent::agent moved = std::move(agent);
    report = agent.send("alice@sender.example", "bob@taken.example", "s", "c");
    CHECK(!report && report.reply() == RE_MISUSE && report.text() == "RE_MISUSE: <agent is NULL>.");
    // Never by the agent that all of the program shares, which has other settings.
    auto go_on = [](mapagent::progress) { return true; };
    CHECK(agent.send("alice@sender.example", "bob@taken.example", "s", "c", go_on).reply() == RE_MISUSE);
    CHECK(report.transcript().empty() && report.recipients() == 0);
    const std::string_view reason = report.text();
    const mapagent::report reasoned = std::move(report);
    CHECK(reasoned.text().data() == reason.data() && reason == "RE_MISUSE: <agent is NULL>.");

    CHECK(mapagent::configure_default(config) == RE_SUCCESS);
    CHECK(mapagent::send("alice@sender.example", "bob@taken.example", "default", "c").reply() == RE_SUCCESS);

    messages(agent_again(config));

#if defined(__cpp_exceptions)
    mapagent::require(config.set_smtp_port(25));
    try {
        mapagent::require(config.set_smtp_port(0));
        CHECK(false);
    } catch (const mapagent::error &error) {
        CHECK(error.reply() == RE_MISUSE && std::string(error.what()).rfind("RE_MISUSE: <", 0) == 0);
    }
#endif
    return 0;
}
