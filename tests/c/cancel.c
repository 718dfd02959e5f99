/* A function of the program's is called while nothing happens, and can cancel. Arguments: DNS server, port of a world in
   which each domain is silent at the stage that it is named for. */
#include "check.h"

struct silence {
    map_stage stage;
    uint64_t sent;
    int alike;
    int calls_after;
};

/* Cancels when it has been called four times with the same. */
static int32_t give_up(const map_progress *progress, void *user_data)
{
    struct silence *silence = user_data;
    const map_stage stage = map_progress_stage(progress);
    const uint64_t sent = map_progress_sent(progress);

    silence->calls_after += silence->alike == 4;
    silence->alike = silence->alike > 0 && stage == silence->stage && sent == silence->sent ? silence->alike + 1 : 1;
    silence->stage = stage;
    silence->sent = sent;
    return silence->alike == 4;
}

static const struct row {
    const char *to;
    map_reply reply;
    map_answer delivered;
} rows[] = {
    {"bob@dns.example", RE_CANCELLED, MAP_NO},       {"bob@connect.example", RE_CANCELLED, MAP_NO},
    {"bob@greeting.example", RE_CANCELLED, MAP_NO},  {"bob@hello.example", RE_CANCELLED, MAP_NO},
    {"bob@tls.example", RE_CANCELLED, MAP_NO},       {"bob@mail.example", RE_CANCELLED, MAP_NO},
    {"bob@rcpt.example", RE_CANCELLED, MAP_NO},      {"bob@data.example", RE_CANCELLED, MAP_NO},
    {"bob@final.example", RE_UNCERTAIN, MAP_UNKNOWN}, {"bob@quit.example", RE_SUCCESS, MAP_YES},
};

static void check(const struct row *row, const struct silence *silence, map_reply reply, map_report *report)
{
    if (reply != row->reply)
        fprintf(stderr, "%s: ", row->to);
    CHECK(reply == row->reply);
    CHECK(silence->alike == 4 && silence->calls_after == 0);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == row->delivered);
    map_report_free(report);
}

static void four_strings(const map_agent *agent, const struct row *row)
{
    struct silence silence = {0};
    map_report *report;
    const map_reply reply =
        map_send_with_progress(agent, "alice@sender.example", row->to, "s", "c", give_up, &silence, &report);

    check(row, &silence, reply, report);
}

static void counted_strings(const map_agent *agent, const struct row *row)
{
    struct silence silence = {0};
    map_report *report;
    const map_reply reply = map_send_with_progress_n(agent, "alice@sender.example!", 20, row->to, strlen(row->to), "s!", 1,
                                                     "c!", 1, give_up, &silence, &report);

    check(row, &silence, reply, report);
}

static void a_message(const map_agent *agent, const struct row *row)
{
    map_message *message = map_message_new();
    struct silence silence = {0};
    map_report *report;

    map_message_add_from(message, "alice@sender.example");
    map_message_add_to(message, row->to);
    map_message_set_subject(message, "s");
    map_message_set_text(message, "c");
    const map_reply reply = map_send_message_with_progress(agent, message, give_up, &silence, &report);

    check(row, &silence, reply, report);
    map_message_free(message);
}

static int32_t count(const map_progress *progress, void *user_data)
{
    CHECK(progress != NULL);
    ++*(int *)user_data;
    return 0;
}

static void arguments(const map_agent *agent)
{
    map_report *report = (map_report *)(uintptr_t)0x5a5a5a5a;
    int calls = 0;

    CHECK(map_send_with_progress(agent, "a@b.example", "c@d.example", "s", "c", NULL, NULL, &report) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <progress is NULL>.");
    CHECK(report == NULL);
    CHECK(map_send_with_progress_n(agent, "a", 1, "b", 1, "s", 1, "c", 1, NULL, NULL, NULL) == RE_MISUSE);
    CHECK(map_send_with_progress_n(agent, NULL, 1, "b", 1, "s", 1, "c", 1, count, &calls, NULL) == RE_MISUSE);
    CHECK(calls == 0);
    CHECK(map_send_with_progress(NULL, NULL, "c@d.example", "s", "c", count, &calls, NULL) == RE_NO_EMPTY);
    CHECK(calls == 1);
    CHECK(MAP_PROGRESS_INTERVAL_MS == 100);
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config);

    map_config_free(config);
    use_sandbox(argc, argv);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        four_strings(NULL, &rows[i]);
        counted_strings(agent, &rows[i]);
        a_message(agent, &rows[i]);
    }
    arguments(agent);
    map_agent_free(agent);
    return 0;
}
