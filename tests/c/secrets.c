/* secrets DNS PORT PEM USER SECRET KIND: prints all that can be read of a mail by a relay that wants a log-in. */
#include "check.h"

static void say(const char *text)
{
    puts(text != NULL ? text : "(none)");
}

static void say_octets(const char *octets, size_t length)
{
    if (octets != NULL)
        fwrite(octets, 1, length, stdout);
    puts("");
}

static void say_part(const map_report *report, size_t recipient)
{
    const char *text;
    size_t length = 0;

    say(map_report_recipient(report, recipient));
    say(map_report_text(report, recipient));
    say(map_report_advice(report, recipient));
    say(map_report_enhanced(report, recipient));
    text = map_report_server_text(report, recipient, &length);
    say_octets(text, length);
    say(map_report_host(report, recipient));
    say(map_report_address(report, recipient));
    say(map_report_tls_version(report, recipient));
    say(map_report_tls_cipher_suite(report, recipient));
    say(map_report_tls_problem(report, recipient));
}

static void say_all(const map_report *report)
{
    size_t i;

    say(map_last_reply());
    say(map_last_advice());
    say_part(report, MAP_SUMMARY);
    for (i = 0; i < map_report_recipient_count(report); i++)
        say_part(report, i);
    for (i = 0; i < map_report_attempt_count(report); i++) {
        say(map_report_attempt_host(report, i));
        say(map_report_attempt_address(report, i));
        say(map_report_attempt_detail(report, i));
        say(map_report_attempt_tls_version(report, i));
        say(map_report_attempt_tls_cipher_suite(report, i));
        say(map_report_attempt_tls_problem(report, i));
    }
    for (i = 0; i < map_report_warning_count(report); i++)
        say(map_report_warning(report, i));
    for (i = 0; i < map_report_port25_probe_count(report); i++)
        say(map_report_port25_probe(report, i));
    say(map_report_port25_text(report));
    say(map_report_message_id(report));
    say(map_report_transcript(report));
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent;
    map_report *report;
    map_session *session;
    map_reply reply;

    CHECK(argc == 7);
    CHECK(map_config_add_tls_roots(config, argv[3]) == RE_SUCCESS);
    CHECK(map_config_set_platform_roots(config, 0) == RE_SUCCESS);
    CHECK(map_config_set_relay(config, "relay.example", atoi(argv[2]), MAP_RELAY_STARTTLS) == RE_SUCCESS);
    CHECK(map_config_set_relay_login(config, argv[4], argv[5], atoi(argv[6])) == RE_SUCCESS);
    agent = map_agent_new(config);
    map_config_free(config);

    reply = map_agent_send(agent, "alice@sender.example", "bob@taken.example", "subject", "content", &report);
    CHECK(map_report_tls_verified(report, MAP_SUMMARY) == MAP_VERIFIED_PKIX);
    CHECK(map_report_tls_policy(report, MAP_SUMMARY) == MAP_TLS_POLICY_RELAY);
    CHECK(map_report_attempt_tls_policy(report, 0) == MAP_TLS_POLICY_RELAY);
    CHECK(map_report_is_relayed(report, 0) == (reply == RE_SUCCESS));
    CHECK(map_report_delivered(report, 0) == (reply == RE_SUCCESS ? MAP_UNKNOWN : MAP_NO));
    CHECK(map_report_stage(report, 0) == (reply == RE_SUCCESS ? MAP_STAGE_CONTENT : MAP_STAGE_AUTH));
    say_all(report);
    map_report_free(report);

    session = map_session_new(agent);
    say(map_session_command(session, "CMD_FROM: <alice@sender.example>."));
    say(map_session_command(session, "CMD_TO: <bob@taken.example>."));
    say(map_session_command(session, "CMD_SUBJECT: <subject>."));
    say(map_session_command(session, "CMD_CONTENT: <content>."));
    say(map_session_command(session, "CMD_END."));
    say_all(map_session_report(session));
    map_session_free(session);
    map_agent_free(agent);
    return reply;
}
