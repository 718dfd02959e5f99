/*
 * manners DNS PORT: the library leaves its host alone. It changes no signal handler, and a peer that closes while
 * content is being sent raises no SIGPIPE, which would end this program. Its threads bear its name, for those who look
 * at a process, and so that its panics can be told from a host's. The test looks at the output: there is none.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <dirent.h>
#include <signal.h>

enum { SIGNALS = 32 };

static void handler(int number)
{
    (void)number;
}

static void look(struct sigaction *actions, sigset_t *mask)
{
    int number;

    for (number = 1; number < SIGNALS; number++)
        CHECK(sigaction(number, NULL, &actions[number]) == 0);
    CHECK(sigprocmask(SIG_BLOCK, NULL, mask) == 0);
}

/* How many threads of this process have that name. */
static int threads_named(const char *name)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int count = 0;

    CHECK(tasks != NULL);
    while ((task = readdir(tasks)) != NULL) {
        char path[300], comm[32] = "";
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file != NULL) {
            if (fgets(comm, sizeof comm, file) != NULL)
                comm[strcspn(comm, "\n")] = '\0';
            fclose(file);
        }
        count += strcmp(comm, name) == 0;
    }
    closedir(tasks);
    return count;
}

int main(int argc, char **argv)
{
    static struct sigaction before[SIGNALS], after[SIGNALS];
    struct sigaction alarm_action;
    sigset_t mask_before, mask_after;
    const size_t length = (size_t)64 * 1024 * 1024;
    char *content = malloc(length); /* more than the system takes off our hands before the peer is gone */
    map_reply reply;
    int number;

    CHECK(content != NULL);
    memset(content, 'x', length);
    for (number = 70; (size_t)number < length; number += 71)
        content[number] = '\n';
    memset(&alarm_action, 0, sizeof alarm_action);
    alarm_action.sa_handler = handler;
    CHECK(sigaction(SIGALRM, &alarm_action, NULL) == 0);
    look(before, &mask_before);

    use_sandbox(argc, argv);
    reply = map_send_report_n("alice@sender.example", 20, "bob@cutting.example", 19, "s", 1, content, length, NULL);
    CHECK(reply == RE_SERVER_UNREACH);
    CHECK(map_send("alice@sender.example", "bob@taken.example", "s", "c") == RE_SUCCESS);

    CHECK(threads_named("mapagent") == 1);
    look(after, &mask_after);
    for (number = 1; number < SIGNALS; number++) {
        CHECK(before[number].sa_handler == after[number].sa_handler);
        CHECK(before[number].sa_flags == after[number].sa_flags);
        CHECK(sigismember(&mask_before, number) == sigismember(&mask_after, number));
    }
    free(content);
    return 0;
}
