/*
 * ending_thread DNS PORT: a destructor of the host's, which runs when the library has already forgotten an ending thread,
 * may still send.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

static pthread_key_t last_will;
static char something;

static void send_at_the_end(void *argument)
{
    (void)argument;
    CHECK(map_send("alice", "bob@taken.example", "s", "c") == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "");
    CHECK_TEXT(map_last_advice(), "");
    CHECK(map_send("alice@sender.example", "bob@taken.example", "last will", "c") == RE_SUCCESS);
}

static void *end(void *argument)
{
    (void)argument;
    CHECK(map_send("alice", "bob@taken.example", "s", "c") == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <alice>.");
    CHECK(pthread_setspecific(last_will, &something) == 0);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    use_sandbox(argc, argv);
    CHECK(pthread_key_create(&last_will, send_at_the_end) == 0);
    CHECK(pthread_create(&thread, NULL, end, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
