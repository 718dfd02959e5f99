/*
 * shortage DNS PORT FOLDER: what this machine or the program's own data lacks is RE_LOCAL, which names it; and the mail goes
 * as soon as there is enough again.
 */
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 64 };

static int taken[MOST], count;

/* Leaves that many descriptors. */
static void take_descriptors(int left)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = MOST;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (count < MOST && (taken[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    CHECK(errno == EMFILE);
    while (left-- > 0)
        close(taken[--count]);
}

static void give_descriptors_back(void)
{
    while (count > 0)
        close(taken[--count]);
}

static void check_local(map_reply reply, map_report *report, const char *what, int passes)
{
    if (reply != RE_LOCAL || strstr(map_last_reply(), what) == NULL)
        fprintf(stderr, "%s\n%s", map_last_advice(), map_report_transcript(report));
    CHECK(reply == RE_LOCAL);
    CHECK(strstr(map_last_reply(), what) != NULL);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_NO);
    CHECK(map_report_is_transient(report, MAP_SUMMARY) == (passes != 0));
    CHECK_TEXT(map_report_enhanced(report, MAP_SUMMARY), passes ? "4.3.0" : "5.3.0");
    CHECK(strstr(map_last_advice(), "report") == NULL || !passes);
    CHECK(map_report_attempt_count(report) <= 1);
    map_report_free(report);
}

static void no_descriptors(void)
{
    static const char *const recipients[] = {"bob@taken.example", "bob@[127.0.0.2]"};
    map_report *report;
    size_t i;
    int left;

    /* No event loop; no socket for the DNS; none for the host. */
    for (i = 0; i < 2; i++)
        for (left = 0; left <= 4; left++) {
            map_reply reply;

            take_descriptors(left);
            reply = map_send_report("alice@sender.example", recipients[i], "s", "c", &report);
            give_descriptors_back();
            if (reply != RE_SUCCESS) {
                check_local(reply, report, "<no file descriptors left in this process>", 1);
                CHECK(strstr(map_last_advice(), "ulimit -n") != NULL);
            } else {
                CHECK(left > 0);
                map_report_free(report);
            }
        }
    CHECK(map_send("alice@sender.example", "bob@taken.example", "enough", "c") == RE_SUCCESS);
    /* The event loop is there. */
    for (i = 0; i < 2; i++) {
        map_reply reply;

        take_descriptors(0);
        reply = map_send_report("alice@sender.example", recipients[1 - i], "s", "c", &report);
        give_descriptors_back();
        check_local(reply, report, "<no file descriptors left in this process>", 1);
        CHECK(map_send("alice@sender.example", "bob@taken.example", "enough", "c") == RE_SUCCESS);
    }
}

static map_message *message_with_file(const char *path)
{
    map_message *message = map_message_new();

    CHECK(map_message_add_from(message, "alice@sender.example") == RE_SUCCESS);
    CHECK(map_message_add_to(message, "bob@taken.example") == RE_SUCCESS);
    CHECK(map_message_attach_file(message, path) == RE_SUCCESS);
    return message;
}

static void a_file_that_is_not_what_it_was(const char *folder)
{
    char path[512];
    FILE *file;
    map_message *message;
    map_report *report;
    map_reply reply;

    snprintf(path, sizeof path, "%s/vanished.pdf", folder);
    CHECK((file = fopen(path, "w")) != NULL && fputs("0123456789", file) >= 0 && fclose(file) == 0);
    message = message_with_file(path);
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(truncate(path, 5) == 0);
    reply = map_send_message(message, &report);
    check_local(reply, report, "vanished.pdf ends after 5 octets", 0);
    CHECK(remove(path) == 0);
    reply = map_send_message(message, &report);
    check_local(reply, report, "vanished.pdf: No such file or directory>", 0);
    CHECK(map_message_write(message, NULL, NULL) == RE_MISUSE);
    map_message_free(message);

    message = map_message_new();
    CHECK(map_message_attach_file(message, path) == RE_LOCAL);
    CHECK(strstr(map_last_reply(), "vanished.pdf: No such file or directory>") != NULL);
    CHECK(map_message_attach_file(message, folder) == RE_LOCAL);
    CHECK(map_send_message(message, NULL) == RE_LOCAL);
    map_message_free(message);
    CHECK(map_message_raw_file_new(path) == NULL);
    CHECK(strstr(map_last_reply(), "RE_LOCAL: <") != NULL && strstr(map_last_reply(), "vanished.pdf") != NULL);
    CHECK(map_dkim_signer_file_new("example.com", "s", path) == NULL);
    CHECK(strstr(map_last_reply(), "RE_LOCAL: <") != NULL && strstr(map_last_reply(), "vanished.pdf") != NULL);
}

static void *begin(void *user_data)
{
    return calloc(1, sizeof(long) + (user_data == NULL));
}

static ptrdiff_t fail_midway(void *stream, void *buffer, size_t length)
{
    long *given = stream;

    if (*given >= 1024 * 1024)
        return -1;
    memset(buffer, 'x', length);
    *given += (long)length;
    return (ptrdiff_t)length;
}

static void a_reader_that_fails(int argc, char **argv)
{
    static const int32_t ways[] = {MAP_CHUNKING_AVOID, MAP_CHUNKING_PREFER};
    size_t i;

    for (i = 0; i < 2; i++) {
        map_config *config = sandbox_config(argc, argv);
        map_message *message = map_message_new();
        map_part *part = map_part_reader_new(MAP_SIZE_UNKNOWN, begin, fail_midway, free, message, NULL);
        map_agent *agent;
        map_report *report;
        map_reply reply;

        CHECK(map_config_set_chunking(config, ways[i]) == RE_SUCCESS);
        agent = map_agent_new(config);
        CHECK(map_message_add_from(message, "alice@sender.example") == RE_SUCCESS);
        CHECK(map_message_add_to(message, "bob@chunking.example") == RE_SUCCESS);
        CHECK(map_message_set_body(message, part) == RE_SUCCESS);
        reply = map_agent_send_message(agent, message, &report);
        check_local(reply, report, "the program's own reader failed", 0);
        CHECK(map_message_write_file(message, "/dev/null") == RE_LOCAL);
        map_part_free(part);
        map_message_free(message);
        map_agent_free(agent);
        map_config_free(config);
    }
}

static void no_space(const char *folder)
{
    char path[512];
    FILE *file;
    map_message *message;

    snprintf(path, sizeof path, "%s/small", folder);
    CHECK((file = fopen(path, "w")) != NULL && fclose(file) == 0);
    message = message_with_file(path);
    CHECK(map_message_write_file(message, "/dev/full") == RE_LOCAL);
    CHECK_TEXT(map_last_reply(), "RE_LOCAL: </dev/full: No space left on device>.");
    CHECK(strstr(map_last_advice(), "space") != NULL);
    map_message_free(message);
}

/* Of a user who may have no thread; only root can become one. */
static void no_threads(int argc, char **argv)
{
    struct rlimit limit = {1, 1};
    pid_t process;
    int status;

    if (geteuid() != 0)
        return;
    process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        map_config *config = sandbox_config(argc, argv);
        map_agent *agent = map_agent_new(config);
        map_report *report;
        map_reply reply;

        CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
        if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
            exit(0);
        reply = map_agent_send(agent, "alice@sender.example", "bob@taken.example", "no", "c", &report);
        check_local(reply, report, "<no threads left>", 1);
        map_agent_free(agent);
        map_config_free(config);
        exit(0);
    }
    CHECK(waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    use_sandbox(argc, argv);
    no_descriptors();
    a_file_that_is_not_what_it_was(argv[3]);
    a_reader_that_fails(argc, argv);
    no_space(argv[3]);
    no_threads(argc, argv);
    return 0;
}
