/* report DNS PORT: every part of the reports of one mail that is taken, one that is refused and one that nobody takes. */
#include "check.h"

static void taken(const map_agent *agent)
{
    map_report *report;
    size_t length = 0;
    const char *text;

    CHECK(map_agent_send(agent, "alice@sender.example", " bob@taken.example ", "s", "c", &report) == RE_SUCCESS);
    CHECK_TEXT(map_last_reply(), "RE_SUCCESS.");
    CHECK(map_report_recipient_count(report) == 1);
    CHECK_TEXT(map_report_recipient(report, 0), "bob@taken.example");
    CHECK(map_report_reply(report, 0) == RE_SUCCESS);
    CHECK_TEXT(map_report_text(report, 0), "RE_SUCCESS.");
    CHECK(map_report_delivered(report, 0) == MAP_YES);
    CHECK(!map_report_is_transient(report, 0));
    CHECK(map_report_code(report, MAP_SUMMARY) == 250);
    CHECK_TEXT(map_report_enhanced(report, MAP_SUMMARY), "2.0.0");
    text = map_report_server_text(report, MAP_SUMMARY, &length);
    CHECK(text != NULL && length == strlen(text) && strstr(text, "queued as 4711") != NULL);
    CHECK(map_report_stage(report, MAP_SUMMARY) == MAP_STAGE_CONTENT);
    CHECK(map_report_tls_version(report, MAP_SUMMARY) == NULL);
    CHECK_TEXT(map_report_host(report, MAP_SUMMARY), "mx.taken.example");
    CHECK_TEXT(map_report_address(report, MAP_SUMMARY), "127.0.0.2");
    CHECK(strstr(map_report_message_id(report), "@sender.example") != NULL);
    CHECK(map_report_attempt_count(report) == 1);
    CHECK_TEXT(map_report_attempt_host(report, 0), "mx.taken.example");
    CHECK_TEXT(map_report_attempt_address(report, 0), "127.0.0.2");
    CHECK(map_report_attempt_outcome(report, 0) == MAP_ATTEMPT_ACCEPTED);
    CHECK(map_report_attempt_stage(report, 0) == MAP_STAGE_CONTENT);
    CHECK(map_report_attempt_duration_ms(report, 0) < 120 * 1000);
    CHECK(strlen(map_report_attempt_detail(report, 0)) > 0);
    map_report_free(report);
}

static void refused(const map_agent *agent)
{
    map_report *report;

    CHECK(map_agent_send(agent, "alice@sender.example", "bob@refusing.example", "s", "c", &report) ==
          RE_SERVICE_DENIED);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_NO);
    CHECK(!map_report_is_transient(report, MAP_SUMMARY));
    CHECK(map_report_code(report, MAP_SUMMARY) == 550);
    CHECK_TEXT(map_report_enhanced(report, MAP_SUMMARY), "5.1.1");
    CHECK(strstr(map_report_server_text(report, MAP_SUMMARY, NULL), "Who is \x1b[31mbob") != NULL);
    CHECK(strchr(map_report_transcript(report), '\x1b') == NULL);
    CHECK(map_report_stage(report, MAP_SUMMARY) == MAP_STAGE_RCPT);
    CHECK(map_report_attempt_outcome(report, 0) == MAP_ATTEMPT_FAILED);
    CHECK(map_report_attempt_code(report, 0) == 550);
    map_report_free(report);
}

static void postponed(const map_agent *agent)
{
    map_report *report;

    CHECK(map_agent_send(agent, "alice@sender.example", "bob@greylisting.example", "s", "c", &report) == RE_BADREPLY);
    CHECK_TEXT(map_report_text(report, MAP_SUMMARY), "RE_BADREPLY: <451>.");
    CHECK(map_report_is_transient(report, MAP_SUMMARY));
    CHECK(map_report_retry_after_ms(report, MAP_SUMMARY) == 15 * 60 * 1000);
    map_report_free(report);
}

static void unanswered(const map_agent *agent)
{
    map_report *report;

    CHECK(map_agent_send(agent, "alice@sender.example", "bob@closed.example", "s", "c", &report) ==
          RE_SERVER_UNREACH);
    CHECK(map_report_is_transient(report, MAP_SUMMARY));
    CHECK(map_report_code(report, MAP_SUMMARY) == -1);
    CHECK(map_report_server_text(report, MAP_SUMMARY, NULL) == NULL);
    CHECK(map_report_attempt_count(report) >= 1);
    CHECK(map_report_attempt_stage(report, 0) == MAP_STAGE_CONNECT);
    CHECK(map_report_attempt_code(report, 0) == -1);
    map_report_free(report);
}

static void lost(const map_agent *agent)
{
    map_report *report;

    CHECK(map_agent_send(agent, "alice@sender.example", "bob@falling.example", "s", "c", &report) == RE_UNCERTAIN);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_UNKNOWN);
    CHECK(!map_report_is_transient(report, MAP_SUMMARY));
    CHECK(map_report_attempt_outcome(report, 0) == MAP_ATTEMPT_UNCERTAIN);
    map_report_free(report);
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config);

    CHECK(agent != NULL);
    map_config_free(config);
    taken(agent);
    refused(agent);
    postponed(agent);
    unanswered(agent);
    lost(agent);
    map_agent_free(agent);
    return 0;
}
