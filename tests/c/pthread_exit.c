/* pthread_exit DNS PORT: a program whose main thread leaves ends with its last thread, and the library's do not keep it. */
#include "check.h"
#include <pthread.h>

static map_agent *agent; /* never freed */

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);

    use_sandbox(argc, argv);
    agent = map_agent_new(config);
    map_config_free(config);
    CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "agent", "c", NULL) == RE_SUCCESS);
    CHECK(map_send("alice@sender.example", "bob@taken.example", "default", "c") == RE_SUCCESS);
    pthread_exit(NULL);
}
