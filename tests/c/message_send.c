/* Messages on their way. Arguments: DNS server, port, a file of 3 MiB or more. */
#include "check.h"

struct seen {
    int calls;
    int cancel_at;
    uint64_t sent, total;
    map_stage stage;
};

static int32_t watch(const map_progress *progress, void *user_data)
{
    struct seen *seen = user_data;

    seen->calls++;
    seen->sent = map_progress_sent(progress);
    seen->total = map_progress_total(progress);
    seen->stage = map_progress_stage(progress);
    return seen->calls == seen->cancel_at;
}

static map_message *mail(const char *to, const char *subject)
{
    map_message *message = map_message_new();

    map_message_add_from(message, "Alice <alice@sender.example>");
    map_message_add_to(message, to);
    map_message_set_subject(message, subject);
    map_message_set_text(message, "text\n");
    return message;
}

static void each_recipient_has_a_part_of_the_report(const map_agent *agent)
{
    map_message *message = mail("Bob <bob@taken.example>, bob@refusing.example", "two");
    map_report *report;

    CHECK(map_agent_send_message(agent, message, &report) == RE_PARTIAL);
    CHECK_TEXT(map_last_reply(), "RE_PARTIAL: <1 of 2>.");
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_SOME);
    CHECK(!map_report_is_transient(report, MAP_SUMMARY) && map_report_retry_after_ms(report, MAP_SUMMARY) == 0);
    CHECK_TEXT(map_report_recipient(report, MAP_SUMMARY), "");
    CHECK(strstr(map_report_advice(report, MAP_SUMMARY), "bob@taken.example") != NULL);
    CHECK(map_report_recipient_count(report) == 2);
    CHECK_TEXT(map_report_recipient(report, 0), "bob@taken.example");
    CHECK(map_report_reply(report, 0) == RE_SUCCESS);
    CHECK(map_report_delivered(report, 0) == MAP_YES);
    CHECK(map_report_reply(report, 1) == RE_SERVICE_DENIED);
    CHECK(map_report_delivered(report, 1) == MAP_NO);
    CHECK_TEXT(map_report_message_id(report), map_message_id(message));
    map_report_free(report);
    map_message_free(message);
}

static void those_who_lack_it_get_the_same_message(const map_agent *agent)
{
    map_message *message = mail("Bob <bob@taken.example>, bob@refusing.example", "rest");
    map_message *rest = NULL;
    const char *taken[] = {"bob@taken.example", "bob@taken.example"};
    const char *stranger[] = {"bob@taken.example", "carol@taken.example"};
    const char *wrong[] = {"carol"};
    const char *missing[] = {NULL};

    CHECK(map_message_for_recipients(message, taken, 2, &rest) == RE_SUCCESS);
    CHECK(map_agent_send_message(agent, rest, NULL) == RE_SUCCESS);
    CHECK(map_message_recipient_count(rest) == 1);
    CHECK_TEXT(map_message_recipient(rest, 0), "bob@taken.example");
    CHECK_TEXT(map_message_id(rest), map_message_id(message));
    CHECK(map_message_size(rest) == map_message_size(message));
    /* A change would make another message of it. */
    CHECK(map_message_add_to(rest, "carol@taken.example") == RE_MISUSE);
    map_message_free(rest);

    rest = NULL;
    CHECK(map_message_for_recipients(message, stranger, 2, &rest) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <carol@taken.example is not a recipient of the message>.");
    CHECK(map_message_for_recipients(message, wrong, 1, &rest) == RE_INVALID_FORMAT);
    CHECK(map_message_for_recipients(message, missing, 1, &rest) == RE_MISUSE);
    CHECK(map_message_for_recipients(message, NULL, 1, &rest) == RE_MISUSE);
    CHECK(map_message_for_recipients(message, NULL, 0, &rest) == RE_MISUSE);
    CHECK(map_message_for_recipients(message, taken, SIZE_MAX, &rest) == RE_MISUSE);
    CHECK(map_message_for_recipients(message, taken, 1, NULL) == RE_MISUSE);
    CHECK(map_message_for_recipients(NULL, taken, 1, &rest) == RE_MISUSE);
    CHECK(rest == NULL);
    map_message_free(message);
}

static void the_shared_agent_sends_too(int argc, char **argv)
{
    map_message *message = mail("bob@taken.example", "shared");

    use_sandbox(argc, argv);
    CHECK(map_send_message(message, NULL) == RE_SUCCESS);
    CHECK_TEXT(map_last_reply(), "RE_SUCCESS.");
    map_message_free(message);
}

static void a_function_is_told_how_far_it_is(const map_agent *agent, const char *file)
{
    map_message *message = mail("bob@taken.example", "large");
    struct seen seen = {0};
    map_report *report;

    CHECK(map_message_attach_file(message, file) == RE_SUCCESS);
    CHECK(map_send_message_with_progress(agent, message, watch, &seen, &report) == RE_SUCCESS);
    CHECK(seen.calls >= 2);
    CHECK(seen.total == map_message_size(message));
    CHECK(seen.sent == seen.total);
    CHECK(seen.stage == MAP_STAGE_CONTENT);
    map_report_free(report);
    map_message_free(message);
}

/* The host never answers, so that there is something to cancel. */
static void a_send_is_cancelled(void)
{
    map_message *message = mail("bob@slow.example", "cancelled");
    struct seen seen = {.cancel_at = 1};
    map_report *report;

    CHECK(map_send_message_with_progress(NULL, message, watch, &seen, &report) == RE_CANCELLED);
    CHECK(seen.calls == 1);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_NO);
    map_report_free(report);
    map_message_free(message);
}

/* There is no report of what was not sent. */
static void nothing_is_sent_that_was_refused(const map_agent *agent)
{
    map_message *message = mail("bob@taken.example", "refused");
    map_report *report = (map_report *)(uintptr_t)0x5a5a5a5a;

    CHECK(map_message_attach_file(message, "/nowhere") == RE_LOCAL);
    CHECK(map_agent_send_message(agent, message, &report) == RE_LOCAL);
    CHECK(report == NULL);
    CHECK(strstr(map_last_advice(), "/nowhere") != NULL);
    CHECK(map_send_message_with_progress(agent, message, NULL, NULL, NULL) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <progress is NULL>.");
    CHECK(map_send_message(NULL, &report) == RE_MISUSE);
    CHECK(map_agent_send_message(NULL, message, &report) == RE_LOCAL);
    map_message_free(message);

    message = map_message_new();
    CHECK(map_agent_send_message(agent, message, &report) == RE_NO_EMPTY);
    CHECK(report == NULL);
    map_message_free(message);
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config);

    map_config_free(config);
    CHECK(argc == 4);
    each_recipient_has_a_part_of_the_report(agent);
    those_who_lack_it_get_the_same_message(agent);
    the_shared_agent_sends_too(argc, argv);
    a_function_is_told_how_far_it_is(agent, argv[3]);
    a_send_is_cancelled();
    nothing_is_sent_that_was_refused(agent);
    map_agent_free(agent);
    return 0;
}
