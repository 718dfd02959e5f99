/*
 * cancelled_thread DNS PORT: a thread that is cancelled inside of a call finishes the call, and is cancelled after it. In
 * slow.example the host is silent, and the call ends by its deadline.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <errno.h>
#include <pthread.h>
#include <time.h>

static map_agent *agent;
static volatile int inside, after, beyond;

static void *run(void *unused)
{
    map_reply reply;

    (void)unused;
    inside = 1;
    errno = ERANGE;
    reply = map_agent_send(agent, "alice@sender.example", "bob@slow.example", "s", "c", NULL);
    after = errno == ERANGE && reply == RE_SERVER_UNREACH && strcmp(map_last_reply(), "RE_SERVER_UNREACH.") == 0;
    pthread_testcancel();
    beyond = 1;
    return NULL;
}

int main(int argc, char **argv)
{
    const struct timespec moment = {0, 300 * 1000 * 1000};
    map_config *config = sandbox_config(argc, argv);
    pthread_t thread;
    void *result;

    CHECK(map_config_set_deadline_ms(config, 1500) == RE_SUCCESS);
    agent = map_agent_new(config);
    map_config_free(config);
    CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
    while (!inside)
        nanosleep(&moment, NULL);
    nanosleep(&moment, NULL);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(after && !beyond && result == PTHREAD_CANCELED);
    map_agent_free(agent);
    return 0;
}
