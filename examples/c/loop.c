/*
 * Sends one mail from a loop that never blocks, and gives up on Ctrl-D.
 *
 *     cc loop.c -o loop $(pkg-config --cflags --libs mapagent)
 *     ./loop you@example.org friend@example.com "Hello" "See you on Sunday."
 */
#include <mapagent.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static void done(map_reply reply, map_report *report, void *user_data)
{
    puts(map_report_text(report, MAP_SUMMARY));
    puts(map_report_advice(report, MAP_SUMMARY));
    map_report_free(report);
    *(map_reply *)user_data = reply;
}

int main(int argc, char **argv)
{
    map_queue *queue = map_queue_new();
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = map_queue_fd(queue)}};
    const int loop = epoll_create1(EPOLL_CLOEXEC);
    map_reply reply = RE_MISUSE;
    char key;

    if (argc != 5 || queue == NULL || loop < 0)
        return 2;
    epoll_ctl(loop, EPOLL_CTL_ADD, event.data.fd, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(loop, EPOLL_CTL_ADD, STDIN_FILENO, &event); /* fails for a file, which cannot be waited for */
    map_job *job = map_submit(NULL, argv[1], argv[2], argv[3], argv[4], queue, done, &reply, NULL);
    while (map_queue_pending(queue) > 0) {
        if (epoll_wait(loop, &event, 1, 1000) == 0)
            printf("%s...\n", map_stage_name(map_job_stage(job)));
        else if (event.data.fd != STDIN_FILENO)
            map_queue_dispatch(queue);
        else if (read(STDIN_FILENO, &key, 1) == 0) {
            epoll_ctl(loop, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
            map_job_cancel(job);
        }
    }
    map_job_free(job);
    map_queue_free(queue);
    close(loop);
    return (int)reply;
}
