/*
 * send_many DNS PORT DIRECTORY COUNT: sends what the directory holds (000.subject, 000.content, 001.subject, …) to
 * alice@example.test, each from an address of its own and several at once, and sees that all are accepted; then what
 * must be refused.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

#define ALICE "alice@example.test"

enum { THREADS = 8 };

static map_agent *agent;
static const char *directory;
static int count;

/* The whole of one file, and its length. */
static char *read_part(int number, const char *part, size_t *length)
{
    char path[4096];
    FILE *file;
    long size;
    char *octets;

    CHECK((size_t)snprintf(path, sizeof path, "%s/%03d.%s", directory, number, part) < sizeof path);
    file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    CHECK(size > 0);
    rewind(file);
    octets = malloc((size_t)size);
    CHECK(octets != NULL && fread(octets, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    *length = (size_t)size;
    return octets;
}

static void send_one(int number)
{
    char from[64];
    size_t subject_length, content_length;
    char *subject = read_part(number, "subject", &subject_length);
    char *content = read_part(number, "content", &content_length);
    map_report *report;

    sprintf(from, "case-%03d@sender.test", number);
    CHECK(map_agent_send_n(agent, from, strlen(from), ALICE, strlen(ALICE), subject, subject_length, content,
                           content_length, &report) == RE_SUCCESS);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_YES);
    CHECK(map_report_code(report, MAP_SUMMARY) == 250);
    map_report_free(report);
    free(subject);
    free(content);
}

/* Every THREADSth of them. */
static void *send_some(void *first)
{
    int number;

    for (number = *(int *)first; number < count; number += THREADS)
        send_one(number);
    return NULL;
}

/* A NUL is refused before anybody is asked; an unknown mailbox by the server, whose code is told. */
static void send_what_is_refused(void)
{
    static const char nul[] = "a\0b";
    const char *from = "a@sender.test";
    map_report *report;

    CHECK(map_agent_send_n(agent, from, strlen(from), ALICE, strlen(ALICE), "NUL", 3, nul, 3, &report) ==
          RE_INVALID_FORMAT);
    CHECK(map_report_attempt_count(report) == 0);
    map_report_free(report);

    CHECK(map_agent_send(agent, from, "nobody@example.test", "test", "test", &report) == RE_SERVICE_DENIED);
    CHECK(map_report_code(report, MAP_SUMMARY) == 550);
    CHECK(map_report_stage(report, MAP_SUMMARY) == MAP_STAGE_RCPT);
    CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_NO);
    CHECK(!map_report_is_transient(report, MAP_SUMMARY));
    map_report_free(report);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    map_config *config = sandbox_config(argc, argv);
    int i;

    CHECK(argc == 5);
    directory = argv[3];
    count = atoi(argv[4]);
    agent = map_agent_new(config);
    CHECK(agent != NULL);
    map_config_free(config);
    for (i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, send_some, &numbers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    send_what_is_refused();
    map_agent_free(agent);
    return 0;
}
