/* fork DNS PORT: the one call works in a child after it was used in the parent; an agent of the parent's says no there. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

static void child(map_agent *agent, int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *own = map_agent_new(config);

    CHECK(map_send("alice@sender.example", "bob@taken.example", "child", "c") == RE_SUCCESS);
    CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "never", "c", NULL) == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "fork") != NULL);
    CHECK(map_agent_send(own, "alice@sender.example", "bob@taken.example", "own", "c", NULL) == RE_SUCCESS);
    map_agent_free(own);
    map_agent_free(agent);
    map_config_free(config);
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config);
    pid_t process;
    int status;

    CHECK(map_configure_default(config) == RE_SUCCESS);
    map_config_free(config);
    CHECK(map_send("alice@sender.example", "bob@taken.example", "parent", "c") == RE_SUCCESS);
    CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "agent", "c", NULL) == RE_SUCCESS);

    process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        child(agent, argc, argv);
        exit(0);
    }
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    CHECK(map_send("alice@sender.example", "bob@taken.example", "parent again", "c") == RE_SUCCESS);
    CHECK(map_agent_send(agent, "alice@sender.example", "bob@taken.example", "agent again", "c", NULL) == RE_SUCCESS);
    map_agent_free(agent);
    return 0;
}
