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
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_START + 1, 1) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_CONNECT, 0) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_CONNECT, UINT64_MAX) == RE_MISUSE);
    CHECK(map_config_set_timeout_ms(config, MAP_TIMEOUT_CONNECT, 1) == RE_SUCCESS);

    CHECK(map_config_set_allow_loopback(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_public_only(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_require_mx(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_port25_check(NULL, 1) == RE_MISUSE);
    CHECK(map_config_set_allow_loopback(config, -7) == RE_SUCCESS);
    CHECK(map_config_set_public_only(config, 0) == RE_SUCCESS);
    CHECK(map_config_set_require_mx(config, 2) == RE_SUCCESS);
    CHECK(map_config_set_port25_check(config, 0) == RE_SUCCESS);
    map_config_free(config);

    CHECK(map_configure_default(NULL) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <config is NULL>.");
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
    map_report_free(report);
}

static void numbers_that_are_no_replies(void)
{
    static const int32_t strange[] = {-1, 8, 63, 68, INT32_MIN, INT32_MAX};
    size_t i;

    for (i = 0; i < sizeof strange / sizeof *strange; i++) {
        CHECK_TEXT(map_reply_name(strange[i]), "RE_UNKNOWN");
        CHECK(strlen(map_reply_text(strange[i])) > 10);
        CHECK(map_reply_is_transient(strange[i]) == MAP_UNKNOWN);
        CHECK_TEXT(map_stage_name(strange[i] == 8 ? -8 : strange[i]), "other");
    }
    CHECK_TEXT(map_reply_name(RE_SERVICE_DENIED), "RE_SERVICE_DENIED");
    CHECK(strlen(map_reply_text(RE_PORT_BLOCKED)) > 10);
    CHECK(map_reply_is_transient(RE_UNCERTAIN) == MAP_NO);
    CHECK(map_reply_is_transient(RE_DNS_FAIL) == MAP_UNKNOWN);
    CHECK_TEXT(map_stage_name(MAP_STAGE_RCPT), "rcpt");
}

int main(void)
{
    nothing_was_said_yet();
    null_is_an_empty_field();
    what_is_no_mail_is_refused();
    absurd_lengths_are_misuse();
    settings_that_cannot_be();
    handles_that_are_not_there();
    sessions();
    indices_that_are_not_there();
    numbers_that_are_no_replies();
    return 0;
}
