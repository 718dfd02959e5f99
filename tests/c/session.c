/* session DNS PORT: two mails and a refused one, by the commands of the MAP document. */
#include "check.h"

static void say(map_session *session, const char *command, const char *reply)
{
    CHECK_TEXT(map_session_command(session, command), reply);
}

/* Its first command forgets the report of the mail before. */
static void refused_mail(map_session *session)
{
    say(session, "CMD_FROM: <alice@sender.example>.", "");
    CHECK(map_session_report(session) == NULL);
    say(session, "CMD_TO: <bob@refusing.example>.", "");
    say(session, "CMD SUBJECT: <refused>.", "");
    say(session, "CMD_CONTENT: <c>.", "");
    say(session, "CMD_END.", "RE_SERVICE_DENIED.");
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config);
    map_session *session = map_session_new(agent);

    /* A session keeps its agent. */
    map_agent_free(agent);
    CHECK(map_configure_default(config) == RE_SUCCESS);
    map_config_free(config);

    say(session, "CMD_FROM: <alice@sender.example>.", "");
    say(session, "CMD_TO: <bob@taken.example>.", "");
    say(session, "CMD_SUBJECT: <one>.", "");
    say(session, "CMD_CONTENT: <an arrow ->.\nand more>.", "");
    CHECK(map_session_report(session) == NULL);
    say(session, "CMD_END.", "RE_SUCCESS.");
    CHECK_TEXT(map_last_reply(), "RE_SUCCESS.");
    CHECK(map_report_delivered(map_session_report(session), MAP_SUMMARY) == MAP_YES);

    /* The same session again, and its next command forgets the report. */
    refused_mail(session);
    CHECK(map_report_code(map_session_report(session), MAP_SUMMARY) == 550);

    /* So does a command that is none. */
    say(session, NULL, "RE_MISUSE: <command is NULL>.");
    CHECK(map_session_report(session) == NULL);
    refused_mail(session);
    CHECK(map_session_report(session) != NULL);
    CHECK(strncmp(map_session_command_n(session, "CMD_END.", SIZE_MAX), "RE_MISUSE: <", 12) == 0);
    CHECK(map_session_report(session) == NULL);
    map_session_free(session);

    /* Without an agent, as map_send() does it. */
    session = map_session_new(NULL);
    say(session, "CMD_FROM: <alice@sender.example>.", "");
    say(session, "CMD_TO: <bob@taken.example>.", "");
    say(session, "CMD_SUBJECT: <two>.", "");
    say(session, "CMD_CONTENT: <c>.", "");
    say(session, "CMD_END.", "RE_SUCCESS.");
    map_session_free(session);
    return 0;
}
