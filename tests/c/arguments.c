/* Everything that should not be passed. Nothing here may reach a network, and nothing may crash. */
#include "check.h"

/* What a program that looks at the report only after a failure would leave there. */
static map_report *const untouched = (map_report *)(uintptr_t)0x5a5a5a5a;

static void nothing_was_said_yet(void)
{
    CHECK_TEXT(map_last_reply(), "");
    CHECK_TEXT(map_last_advice(), "");
}

static void null_is_an_empty_field(void)
{
    map_report *report = untouched;

    CHECK(map_send(NULL, NULL, NULL, NULL) == RE_NO_EMPTY);
    CHECK_TEXT(map_last_reply(), "RE_NO_EMPTY: <From, To, Subject, Content,>.");
    CHECK(map_send("a@example.com", NULL, "s", NULL) == RE_NO_EMPTY);
    CHECK_TEXT(map_last_reply(), "RE_NO_EMPTY: <To, Content,>.");
    CHECK(map_send(" \t", "b@example.com", "\r\n", "c") == RE_NO_EMPTY);
    CHECK_TEXT(map_last_reply(), "RE_NO_EMPTY: <From, Subject,>.");
    CHECK(strlen(map_last_advice()) > 10);

    CHECK(map_send_report(NULL, NULL, NULL, NULL, NULL) == RE_NO_EMPTY);
    CHECK(map_send_report(NULL, NULL, NULL, NULL, &report) == RE_NO_EMPTY);
    CHECK(report != NULL && report != untouched);
    CHECK(map_report_reply(report, MAP_SUMMARY) == RE_NO_EMPTY);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_NO);
    CHECK(map_report_attempt_count(report) == 0);
    CHECK(map_report_message_id(report) == NULL);
    map_report_free(report);

    CHECK(map_send_report_n(NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL) == RE_NO_EMPTY);
}

static void what_is_no_mail_is_refused(void)
{
    static const char nul[] = "a\0b";

    CHECK(map_send("407184933qq.com", "b@example.com", "s", "c") == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <407184933qq.com>.");
    CHECK(map_send("a@example.com", "b@example.com\r\nRCPT TO:<c@example.com>", "s", "c") == RE_INVALID_FORMAT);
    CHECK(map_send("a@example.com", "b@example.com", "one\nBcc: c@example.com", "c") == RE_INVALID_FORMAT);
    /* Ill-formed UTF-8: a lone continuation, an overlong slash, a surrogate, a cut sequence. */
    CHECK(map_send("a\x80@example.com", "b@example.com", "s", "c") == RE_INVALID_FORMAT);
    CHECK(map_send("a@example.com", "b@ex\xc0\xaf.com", "s", "c") == RE_INVALID_FORMAT);
    CHECK(map_send("a@example.com", "b@example.com", "\xed\xa0\x80", "c") == RE_INVALID_FORMAT);
    CHECK(map_send("a@example.com", "b@example.com", "s", "\xf0\x9f\x98") == RE_INVALID_FORMAT);
    CHECK(map_send_report_n("a@example.com", 13, "b@example.com", 13, "s", 1, nul, 3, NULL) == RE_INVALID_FORMAT);
    CHECK(map_send_report_n("a@example.com", 13, "b@example.com", 13, nul, 3, "c", 1, NULL) == RE_INVALID_FORMAT);
    CHECK(map_send_report_n("a@example.com", 13, "b@example.com\0c", 15, "s", 1, "c", 1, NULL) == RE_INVALID_FORMAT);
}

static void absurd_lengths_are_misuse(void)
{
    map_report *report = untouched;

    CHECK(map_send_report_n("a", SIZE_MAX, "b", 1, "s", 1, "c", 1, &report) == RE_MISUSE);
    CHECK(report == NULL);
    CHECK(map_send_report_n("a", 1, "b", 1, "s", 1, "c", (size_t)PTRDIFF_MAX + 1, NULL) == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "content") != NULL);
    CHECK(map_send_report_n("a", 1, NULL, 5, "s", 1, "c", 1, NULL) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <to is NULL and its length is 5>.");
}

/* Of an authority that signed nothing. */
static const char authority[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhjCCAS2gAwIBAgIUdMUiz7UvDfnD7k7hx1pFQG3Y8jgwCgYIKoZIzj0EAwIw\n"
    "GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwHhcNMjYxMTIyMDUyNTA4WhcNNDYx\n"
    "MTE3MDUyNTA4WjAZMRcwFQYDVQQDDA5UZXN0IGF1dGhvcml0eTBZMBMGByqGSM49\n"
    "AgEGCCqGSM49AwEHA0IABLVXPiahR9fcTXUo8rEFdYQcEnJXdDBv3/59s2mqvvb8\n"
    "lnEHy1wmyY/KNcNcDbvWReHn94nXO8XUL24JuQURnJmjUzBRMB0GA1UdDgQWBBSY\n"
    "sjrnh0Fo12eOmBH7p+ee1xl6ezAfBgNVHSMEGDAWgBSYsjrnh0Fo12eOmBH7p+ee\n"
    "1xl6ezAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIDG47be0uxrL\n"
    "QEoA6vAmZaxSPrIlrq7wjJHD2rb9pNkpAiAKbHm5kHU7rPEk/7LmSBA9skq9SBrv\n"
    "k8icIQrefM0Urg==\n"
    "-----END CERTIFICATE-----\n";

static const char root_key[] =
    ". 172800 IN DNSKEY 257 3 13 "
    "KXX8lzMOgAB9pQn4OYmSzrP0rEVWrdXSu5vQ0DKhUvLNkmJrQtk7QZAzl+QW51cYSs2JiuQwJVEPK0yV6GXgWQ==";

static void settings_that_cannot_be(void)
{
    map_config *config = map_config_new();

    CHECK(config != NULL);
    CHECK_TEXT(map_last_reply(), "RE_SUCCESS.");

    CHECK(map_config_set_dns_servers(NULL, "127.0.0.1") == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <config is NULL>.");
    CHECK(map_config_set_dns_servers(config, NULL) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <servers is NULL>.");
    CHECK(map_config_set_dns_servers(config, "not an address") == RE_MISUSE);
    CHECK(map_config_set_dns_servers(config, "127.0.0.1:99999") == RE_MISUSE);
    CHECK(map_config_set_dns_servers(config, "\xff") == RE_MISUSE);
    CHECK(map_config_set_dns_servers(config, "127.0.0.1:5300, [::1]:53 192.0.2.1,") == RE_SUCCESS);
    CHECK(map_config_set_dns_servers(config, "") == RE_SUCCESS);

    CHECK(map_config_set_smtp_port(NULL, 25) == RE_MISUSE);
    CHECK(map_config_set_smtp_port(config, 0) == RE_MISUSE);
    CHECK(map_config_set_smtp_port(config, -1) == RE_MISUSE);
    CHECK(map_config_set_smtp_port(config, 65536 + 25) == RE_MISUSE);
    CHECK(map_config_set_smtp_port(config, 65535) == RE_SUCCESS);

    CHECK(map_config_set_hello_name(NULL, "mail.example.com") == RE_MISUSE);
    CHECK(map_config_set_hello_name(config, NULL) == RE_MISUSE);
    CHECK(map_config_set_hello_name(config, "mail.example.com\r\nMAIL FROM:<>") == RE_MISUSE);
    CHECK(map_config_set_hello_name(config, "\xff") == RE_MISUSE);
    CHECK(map_config_set_hello_name(config, "[192.0.2.1]") == RE_SUCCESS);
    CHECK(map_config_set_hello_name(config, "") == RE_SUCCESS);

    CHECK(map_config_set_deadline_ms(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_deadline_ms(config, UINT64_MAX) == RE_MISUSE);
    CHECK(map_config_set_deadline_ms(config, 0) == RE_SUCCESS);

    CHECK(map_config_set_timeout_ms(NULL, MAP_TIMEOUT_CONNECT, 1) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, -1, 1) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_REPLIES + 1, 1) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_CONNECT, 0) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_CONNECT, UINT64_MAX) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_CONNECT, 1) == RE_SUCCESS);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_STARTTLS, 1) == RE_SUCCESS);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_TLS, 1) == RE_SUCCESS);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_AUTH, 1) == RE_SUCCESS);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_CONTENT_BLOCK, 1) == RE_SUCCESS);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_REPLIES, 1) == RE_SUCCESS);

    CHECK(map_config_set_allow_loopback(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_public_only(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_require_mx(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_allow_loopback(config, -7) == RE_SUCCESS);
    CHECK(map_config_set_public_only(config, 0) == RE_SUCCESS);
    CHECK(map_config_set_require_mx(config, 2) == RE_SUCCESS);
    map_config_free(config);

    CHECK(map_configure_default(NULL) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <config is NULL>.");
}

static void roads_that_cannot_be(void)
{
    map_config *config = map_config_new();

    CHECK(map_config_set_source_address(NULL, "192.0.2.1") == RE_MISUSE);
    CHECK(map_config_set_source_address(config, NULL) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <addresses is NULL>.");
    CHECK(map_config_set_source_address(config, "mail.example.com") == RE_MISUSE);
    CHECK(map_config_set_source_address(config, "0.0.0.0") == RE_MISUSE);
    CHECK(map_config_set_source_address(config, "192.0.2.1, 192.0.2.2") == RE_MISUSE);
    CHECK(map_config_set_source_address(config, "192.0.2.1 ::ffff:192.0.2.2") == RE_MISUSE);
    CHECK(map_config_set_source_address(config, "192.0.2.1,2001:db8::1") == RE_SUCCESS);
    CHECK(map_config_set_source_address(config, "") == RE_SUCCESS);

    CHECK(map_config_set_proxy(NULL, "socks5://127.0.0.1") == RE_MISUSE);
    CHECK(map_config_set_proxy(config, NULL) == RE_MISUSE);
    CHECK(map_config_set_proxy(config, "http://alice:s3cret@proxy.example") == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "socks5://") != NULL && strstr(map_last_reply(), "s3cret") == NULL);
    CHECK(map_config_set_proxy(config, "socks5h://alice:s3cret@proxy.example:1080") == RE_SUCCESS);
    CHECK(map_config_set_proxy(config, "") == RE_SUCCESS);

    CHECK(map_config_set_port25_check(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_port25_check(config, 0) == RE_SUCCESS);
    CHECK(map_config_set_port25_probe_hosts(NULL, "", "") == RE_MISUSE);
    CHECK(map_config_set_port25_probe_hosts(config, NULL, "") == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <mail is NULL>.");
    CHECK(map_config_set_port25_probe_hosts(config, "", NULL) == RE_MISUSE);
    CHECK(map_config_set_port25_probe_hosts(config, "mx.example.com:0", "") == RE_MISUSE);
    CHECK(map_config_set_port25_probe_hosts(config, "mx.example.com, 192.0.2.1:2525", "192.0.2.2") == RE_SUCCESS);
    CHECK(map_config_set_port25_probe_hosts(config, "", "") == RE_SUCCESS);

    CHECK(map_config_set_dns_trust_anchor(NULL, root_key) == RE_MISUSE);
    CHECK(map_config_set_dns_trust_anchor(config, NULL) == RE_MISUSE);
    CHECK(map_config_set_dns_trust_anchor(config, "no key") == RE_MISUSE);
    CHECK(map_config_set_dns_trust_anchor(config, root_key) == RE_SUCCESS);

    CHECK(map_config_set_https_port(NULL, 443) == RE_MISUSE);
    CHECK(map_config_set_https_port(config, 0) == RE_MISUSE);
    CHECK(map_config_set_https_port(config, 65536) == RE_MISUSE);
    CHECK(map_config_set_https_port(config, 8443) == RE_SUCCESS);
    map_config_free(config);
}

static void protections_that_cannot_be(void)
{
    map_config *config = map_config_new();

    CHECK(map_config_set_require_tls(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_dane(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_mta_sts(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_platform_roots(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_require_tls(config, 1) == RE_SUCCESS);
    CHECK(map_config_set_dane(config, 0) == RE_SUCCESS);
    CHECK(map_config_set_mta_sts(config, 0) == RE_SUCCESS);
    CHECK(map_config_set_platform_roots(config, 0) == RE_SUCCESS);

    CHECK(map_config_add_tls_roots(NULL, authority) == RE_MISUSE);
    CHECK(map_config_add_tls_roots(config, NULL) == RE_MISUSE);
    CHECK(map_config_add_tls_roots(config, "") == RE_MISUSE);
    CHECK(map_config_add_tls_roots(config, "/etc/ssl/certs/ca-certificates.crt") == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "PEM") != NULL);
    CHECK(map_config_add_tls_roots(config, authority) == RE_SUCCESS);
    map_config_free(config);
}

static void relays_that_cannot_be(void)
{
    static const int32_t strange[] = {0, -1, MAP_RELAY_CLEAR + 1, INT32_MIN, INT32_MAX};
    map_config *config = map_config_new();
    size_t i;

    CHECK(map_config_set_relay(NULL, "mail.example.com", 587, MAP_RELAY_STARTTLS) == RE_MISUSE);
    CHECK(map_config_set_relay(config, NULL, 587, MAP_RELAY_STARTTLS) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <host is NULL>.");
    CHECK(map_config_set_relay(config, "two words", 587, MAP_RELAY_STARTTLS) == RE_MISUSE);
    CHECK(map_config_set_relay(config, "\xff", 587, MAP_RELAY_STARTTLS) == RE_MISUSE);
    CHECK(map_config_set_relay(config, "mail.example.com", 0, MAP_RELAY_STARTTLS) == RE_MISUSE);
    CHECK(map_config_set_relay(config, "mail.example.com", 65536, MAP_RELAY_STARTTLS) == RE_MISUSE);
    for (i = 0; i < sizeof strange / sizeof *strange; i++) {
        CHECK(map_config_set_relay(config, "mail.example.com", 587, strange[i]) == RE_MISUSE);
        CHECK(strstr(map_last_reply(), "is not a map_relay_security") != NULL);
    }

    /* None of these was taken for a relay. */
    CHECK(map_config_set_relay_login(config, "alice", "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <there is no relay yet to log in to>.");
    CHECK(map_config_set_relay_login(NULL, "alice", "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);

    CHECK(map_config_set_relay(config, "mail.example.com", 25, MAP_RELAY_OPPORTUNISTIC) == RE_SUCCESS);
    CHECK(map_config_set_relay_login(config, "alice", "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "verified TLS") != NULL && strstr(map_last_advice(), "s3cret") == NULL);
    CHECK(map_config_set_relay(config, "192.0.2.1", 25, MAP_RELAY_CLEAR) == RE_SUCCESS);
    CHECK(map_config_set_relay_login(config, "alice", "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);

    CHECK(map_config_set_relay(config, "[2001:db8::1]", 465, MAP_RELAY_IMPLICIT_TLS) == RE_SUCCESS);
    CHECK(map_config_set_relay_login(config, NULL, "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(map_config_set_relay_login(config, "alice", NULL, MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <secret is NULL>.");
    CHECK(map_config_set_relay_login(config, "", "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(map_config_set_relay_login(config, "alice", "", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(map_config_set_relay_login(config, "alice", "s3cret\r\n", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "s3cret") == NULL && strstr(map_last_advice(), "s3cret") == NULL);
    CHECK(map_config_set_relay_login(config, "alice", "s3cret\xff", MAP_SECRET_PASSWORD) == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "s3cret") == NULL && strstr(map_last_advice(), "s3cret") == NULL);
    CHECK(map_config_set_relay_login(config, "alice", "s3cret", 0) == RE_MISUSE);
    CHECK(map_config_set_relay_login(config, "alice", "s3cret", MAP_SECRET_TOKEN + 1) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <3 is not a map_secret_kind>.");
    CHECK(map_config_set_relay_login(config, "alice", "s3cret", MAP_SECRET_PASSWORD) == RE_SUCCESS);
    CHECK(map_config_set_relay_login(config, "alice", "t0ken", MAP_SECRET_TOKEN) == RE_SUCCESS);

    CHECK(map_config_set_relay(config, "", 0, 0) == RE_SUCCESS);
    CHECK(map_config_set_relay_login(config, "alice", "s3cret", MAP_SECRET_PASSWORD) == RE_MISUSE);
    map_config_free(config);
}

static void handles_that_are_not_there(void)
{
    map_report *report = untouched;
    size_t length = 77;

    map_config_free(NULL);
    map_agent_free(NULL);
    map_report_free(NULL);

    CHECK(map_agent_new(NULL) == NULL);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <config is NULL>.");
    CHECK(map_agent_send(NULL, "a@example.com", "b@example.com", "s", "c", &report) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <agent is NULL>.");
    CHECK(report == NULL);
    CHECK(map_agent_send_n(NULL, "a", 1, "b", 1, "s", 1, "c", 1, NULL) == RE_MISUSE);

    CHECK(map_report_recipient_count(NULL) == 0);
    CHECK(map_report_recipient(NULL, 0) == NULL);
    CHECK(map_report_reply(NULL, MAP_SUMMARY) == RE_MISUSE);
    CHECK(map_report_text(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_advice(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_delivered(NULL, MAP_SUMMARY) == MAP_UNKNOWN);
    CHECK(!map_report_is_transient(NULL, MAP_SUMMARY));
    CHECK(map_report_retry_after_ms(NULL, MAP_SUMMARY) == 0);
    CHECK(map_report_code(NULL, MAP_SUMMARY) == -1);
    CHECK(map_report_enhanced(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_server_text(NULL, MAP_SUMMARY, &length) == NULL);
    CHECK(length == 77);
    CHECK(map_report_server_text(NULL, MAP_SUMMARY, NULL) == NULL);
    CHECK(map_report_stage(NULL, MAP_SUMMARY) == MAP_STAGE_OTHER);
    CHECK(map_report_host(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_address(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_message_id(NULL) == NULL);
    CHECK(map_report_transcript(NULL) == NULL);
    CHECK(map_report_warning_count(NULL) == 0);
    CHECK(map_report_warning(NULL, 0) == NULL);
    CHECK(map_report_attempt_count(NULL) == 0);
    CHECK(map_report_attempt_host(NULL, 0) == NULL);
    CHECK(map_report_attempt_address(NULL, 0) == NULL);
    CHECK(map_report_attempt_detail(NULL, 0) == NULL);
    CHECK(map_report_attempt_outcome(NULL, 0) == MAP_ATTEMPT_UNCERTAIN);
    CHECK(map_report_attempt_stage(NULL, 0) == MAP_STAGE_OTHER);
    CHECK(map_report_attempt_code(NULL, 0) == -1);
    CHECK(map_report_attempt_duration_ms(NULL, 0) == 0);

    CHECK(!map_report_is_relayed(NULL, MAP_SUMMARY));
    CHECK(map_report_tls_version(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_tls_cipher_suite(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_tls_verified(NULL, MAP_SUMMARY) == MAP_VERIFIED_NONE);
    CHECK(map_report_tls_problem(NULL, MAP_SUMMARY) == NULL);
    CHECK(map_report_tls_policy(NULL, MAP_SUMMARY) == MAP_TLS_POLICY_NONE);
    CHECK(map_report_attempt_tls_version(NULL, 0) == NULL);
    CHECK(map_report_attempt_tls_cipher_suite(NULL, 0) == NULL);
    CHECK(map_report_attempt_tls_verified(NULL, 0) == MAP_VERIFIED_NONE);
    CHECK(map_report_attempt_tls_problem(NULL, 0) == NULL);
    CHECK(map_report_attempt_tls_policy(NULL, 0) == MAP_TLS_POLICY_NONE);
    CHECK(map_report_port25(NULL) == MAP_PORT25_NOT_ASKED);
    CHECK(map_report_port25_text(NULL) == NULL);
    CHECK(map_report_port25_age_ms(NULL) == 0);
    CHECK(map_report_port25_probe_count(NULL) == 0);
    CHECK(map_report_port25_probe(NULL, 0) == NULL);
}

static void sessions(void)
{
    map_session *session = map_session_new(NULL);

    CHECK(session != NULL);
    CHECK_TEXT(map_session_command(session, NULL), "RE_MISUSE: <command is NULL>.");
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <command is NULL>.");
    CHECK_TEXT(map_session_command_n(session, NULL, 3), "RE_MISUSE: <command is NULL>.");
    CHECK(strncmp(map_session_command_n(session, "CMD_END.", SIZE_MAX), "RE_MISUSE: <", 12) == 0);
    CHECK(strncmp(map_session_command(session, "CMD_END."), "RE_MISUSE: <", 12) == 0);
    CHECK(strncmp(map_session_command(session, "\xff\xfe"), "RE_MISUSE: <", 12) == 0);
    CHECK(map_session_report(session) == NULL);

    CHECK_TEXT(map_session_command(session, "CMD_FROM: <cxw@apple.com>."), "");
    CHECK(strncmp(map_session_command(session, "CMD_FROM: <other@apple.com>."), "RE_MISUSE: <", 12) == 0);
    CHECK_TEXT(map_session_command_n(session, "CMD_TO: <>. and more", 11), "");
    CHECK_TEXT(map_session_command(session, "CMD_SUBJECT: <test>."), "");
    CHECK_TEXT(map_session_command(session, "CMD_CONTENT: <>."), "");
    CHECK_TEXT(map_session_command(session, "CMD_END."), "RE_NO_EMPTY: <To, Content,>.");
    CHECK_TEXT(map_last_reply(), "RE_NO_EMPTY: <To, Content,>.");
    CHECK(strlen(map_last_advice()) > 0);
    CHECK(map_session_report(session) == NULL);
    map_session_free(session);

    map_session_free(NULL);
    CHECK_TEXT(map_session_command(NULL, "CMD_END."), "RE_MISUSE: <session is NULL>.");
    CHECK(map_session_report(NULL) == NULL);
}

static void indices_that_are_not_there(void)
{
    map_report *report;
    size_t length = 77;

    CHECK(map_send_report("a@example.com", "", "s", "c", &report) == RE_NO_EMPTY);
    CHECK(map_report_recipient_count(report) == 1);
    CHECK(map_report_reply(report, 0) == RE_NO_EMPTY);
    CHECK(map_report_reply(report, 1) == RE_MISUSE);
    CHECK(map_report_text(report, 1) == NULL);
    CHECK(map_report_delivered(report, SIZE_MAX - 1) == MAP_UNKNOWN);
    CHECK(map_report_server_text(report, 0, &length) == NULL && length == 77);
    CHECK(map_report_warning(report, map_report_warning_count(report)) == NULL);
    CHECK(map_report_attempt_host(report, 0) == NULL);
    CHECK(map_report_attempt_detail(report, SIZE_MAX) == NULL);
    CHECK(map_report_tls_version(report, 1) == NULL && map_report_attempt_tls_version(report, 0) == NULL);
    CHECK(!map_report_is_relayed(report, 1));
    CHECK(map_report_port25_probe(report, SIZE_MAX) == NULL);
    map_report_free(report);
}

static void numbers_that_are_no_replies(void)
{
    static const int32_t strange[] = {-1, 8, 63, 70, INT32_MIN, INT32_MAX};
    size_t i;

    for (i = 0; i < sizeof strange / sizeof *strange; i++) {
        CHECK_TEXT(map_reply_name(strange[i]), "RE_UNKNOWN");
        CHECK(strlen(map_reply_text(strange[i])) > 10);
        CHECK(map_reply_is_transient(strange[i]) == MAP_UNKNOWN);
        CHECK_TEXT(map_stage_name(strange[i] == 8 ? -8 : strange[i]), "other");
        CHECK_TEXT(map_verified_name(strange[i]), "other");
        CHECK_TEXT(map_tls_policy_name(strange[i]), "other");
    }
    CHECK_TEXT(map_reply_name(RE_SERVICE_DENIED), "RE_SERVICE_DENIED");
    CHECK(strlen(map_reply_text(RE_PORT_BLOCKED)) > 10);
    CHECK(map_reply_is_transient(RE_UNCERTAIN) == MAP_NO);
    CHECK(map_reply_is_transient(RE_DNS_FAIL) == MAP_UNKNOWN);
    CHECK_TEXT(map_stage_name(MAP_STAGE_RCPT), "rcpt");
    CHECK_TEXT(map_stage_name(MAP_STAGE_AUTH), "auth");
    CHECK_TEXT(map_verified_name(MAP_VERIFIED_DANE), "dane");
    CHECK_TEXT(map_tls_policy_name(MAP_TLS_POLICY_NONE), "none");
    CHECK_TEXT(map_tls_policy_name(MAP_TLS_POLICY_MTA_STS), "mta-sts");
}

int main(void)
{
    nothing_was_said_yet();
    null_is_an_empty_field();
    what_is_no_mail_is_refused();
    absurd_lengths_are_misuse();
    settings_that_cannot_be();
    roads_that_cannot_be();
    protections_that_cannot_be();
    relays_that_cannot_be();
    handles_that_are_not_there();
    sessions();
    indices_that_are_not_there();
    numbers_that_are_no_replies();
    return 0;
}
