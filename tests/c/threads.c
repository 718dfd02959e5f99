/* threads DNS PORT: 32 threads send at once, half of them by an agent that they share, and each reads its own reply. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

enum { THREADS = 32, MAILS = 4 };

static pthread_barrier_t start;
static map_agent *agent;

static void *send_some(void *argument)
{
    int number = *(int *)argument;
    int i;

    pthread_barrier_wait(&start);
    for (i = 0; i < MAILS; i++) {
        char subject[32], wrong[32], expected[64];
        map_report *report;

        sprintf(subject, "mail %d.%d", number, i);
        if (number % 2 == 0)
            CHECK(map_send("alice@sender.example", "bob@taken.example", subject, "c") == RE_SUCCESS);
        else {
            CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", subject, "c", &report) ==
                  RE_SUCCESS);
            CHECK(map_report_delivered(report, MAP_SUMMARY) == MAP_YES);
            map_report_free(report);
        }
        CHECK_TEXT(map_last_reply(), "RE_SUCCESS.");

        sprintf(wrong, "nobody-%d-%d", number, i);
        sprintf(expected, "RE_INVALID_FORMAT: <%s>.", wrong);
        CHECK(map_send(wrong, "bob@taken.example", subject, "c") == RE_INVALID_FORMAT);
        CHECK_TEXT(map_last_reply(), expected);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    map_config *config = sandbox_config(argc, argv);
    int i;

    CHECK(map_configure_default(config) == RE_SUCCESS);
    agent = map_agent_new(config);
    CHECK(agent != NULL);
    map_config_free(config);
    CHECK(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, send_some, &numbers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    pthread_barrier_destroy(&start);
    map_agent_free(agent);
    return 0;
}
