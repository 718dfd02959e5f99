/*
 * memory DNS PORT: what a program hands over and there is no memory for is an error, and no end of the program. A copy of
 * it would take more than the process may have.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <sys/resource.h>

static void is_local(map_reply reply, const char *of)
{
    char should[128];

    snprintf(should, sizeof should, "RE_LOCAL: <no memory for the 314572800 octets of %s>.", of);
    CHECK(reply == RE_LOCAL);
    CHECK_TEXT(map_last_reply(), should);
    CHECK(strlen(map_last_advice()) > 60);
}

int main(int argc, char **argv)
{
    const size_t length = 300 * 1024 * 1024;
    char *data = malloc(length + 1);
    struct rlimit limit = {(rlim_t)600 * 1024 * 1024, (rlim_t)600 * 1024 * 1024};
    const char *const from = "alice@sender.example", *const to = "bob@taken.example";
    map_session *session;
    map_message *message;
    map_report *report = NULL;

    use_sandbox(argc, argv);
    CHECK(data != NULL);
    memset(data, 'x', length);
    data[length] = '\0';
    memcpy(data, "CMD_FROM: <", 11);
    memcpy(data + length - 2, ">.", 2);
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);

    is_local(map_send(from, to, "s", data), "Content");
    is_local(map_send_report_n(from, strlen(from), to, strlen(to), "s", 1, data, length, &report), "Content");
    CHECK(report != NULL && map_report_delivered(report, MAP_SUMMARY) == MAP_NO);
    map_report_free(report);
    is_local(map_send(from, to, data, "c"), "Subject");

    message = map_message_new();
    is_local(map_message_set_text(message, data), "text");
    is_local(map_message_set_html_n(message, data, length), "html");
    is_local(map_message_attach_octets(message, data, length, "x"), "data");
    CHECK(map_send_message(message, NULL) == RE_LOCAL);
    map_message_free(message);
    CHECK(map_part_text_new(data, length) == NULL);
    is_local(RE_LOCAL, "text");
    CHECK(map_part_html_new(data, length) == NULL);
    is_local(RE_LOCAL, "html");
    CHECK(map_part_octets_new(data, length) == NULL);
    is_local(RE_LOCAL, "data");
    CHECK(map_message_raw_new(data, length) == NULL);
    is_local(RE_LOCAL, "data");

    session = map_session_new(NULL);
    CHECK(strstr(map_session_command_n(session, data, length), "RE_LOCAL: <no memory for the 3145727") != NULL);
    map_session_free(session);

    CHECK(map_send(from, to, "s", "c") == RE_SUCCESS);
    free(data);
    return 0;
}
