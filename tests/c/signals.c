/*
 * signals DNS PORT: a program that reads its signals from a signalfd gets them all, whatever threads the library has. And
 * the threads go when there is nothing to do.
 */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* The threads of this process beside this one, and whether one of them takes that signal. */
static int other_threads(int signal, int *takes)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int count = 0;

    *takes = 0;
    CHECK(tasks != NULL);
    while ((task = readdir(tasks)) != NULL) {
        char path[300], line[256];
        FILE *file;

        if (task->d_name[0] == '.' || atoi(task->d_name) == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        file = fopen(path, "r");
        while (file != NULL && fgets(line, sizeof line, file) != NULL) {
            unsigned long long blocked;

            if (sscanf(line, "SigBlk: %llx", &blocked) == 1) {
                count++;
                *takes |= (blocked >> (signal - 1) & 1) == 0;
            }
        }
        if (file != NULL)
            fclose(file);
    }
    closedir(tasks);
    return count;
}

int main(int argc, char **argv)
{
    const int sent[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGALRM, SIGPROF, SIGPIPE};
    const struct timespec moment = {0, 10 * 1000 * 1000};
    struct signalfd_siginfo info;
    sigset_t set;
    size_t i;
    int fd, takes, waited;

    sigemptyset(&set);
    for (i = 0; i < sizeof sent / sizeof *sent; i++)
        sigaddset(&set, sent[i]);
    use_sandbox(argc, argv);
    CHECK(map_send("alice@sender.example", "bob@taken.example", "before", "c") == RE_SUCCESS);
    /* Blocked here only: what the library did before does not matter, and neither does it what it inherits. */
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    CHECK(fd >= 0);
    for (i = 0; i < sizeof sent / sizeof *sent; i++) {
        CHECK(other_threads(sent[i], &takes) >= 1 && !takes);
        CHECK(kill(getpid(), sent[i]) == 0);
        CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == (unsigned)sent[i]);
    }
    for (waited = 0; other_threads(SIGTERM, &takes) > 0; waited++) {
        CHECK(waited < 6000);
        nanosleep(&moment, NULL);
    }
    CHECK(map_send("alice@sender.example", "bob@taken.example", "after", "c") == RE_SUCCESS);
    return 0;
}
